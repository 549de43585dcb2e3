//! A transfer for tests.

use beckon_shared::{
    id::{DeviceId, RootId, TransferId},
    time::Timestamp,
    transfer::{Hold, Priority, Progress, Task, TransferState, TransferView},
};

/// An upload of a root that was just ordered.
pub(crate) fn view() -> TransferView {
    TransferView {
        id: TransferId::new(Timestamp(1), [1; 10]),
        device: DeviceId([1; 32]),
        machine: "desk".to_owned(),
        root: "Documents".to_owned(),
        what: String::new(),
        state: TransferState::Queued,
        hold: Hold::None,
        progress: Progress::default(),
        error: None,
        created: Timestamp(0),
        expires: Timestamp(1),
        ended: None,
        revision: 1,
        priority: Priority::default(),
        task: Task::Upload,
        from: None,
        root_id: RootId([1; 16]),
        origin: None,
    }
}
