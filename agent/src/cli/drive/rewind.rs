//! `beckon drive restore PATH --at DATE`, and `--on MACHINE:ROOT/PATH`: an older state comes back, into the drive or onto a
//! machine.

use std::ffi::OsString;

use beckon_shared::{
    api::drive::{OriginView, Rewind, Rewound},
    entry::EntryKind,
    order::{Extent, Followed},
    time::Timestamp,
};

use super::{at_query, explain, find_at};
use crate::{
    cli::{
        Here,
        control::Control,
        follow::{self, Copy},
        order::Spot,
        place::{DrivePlace, Live},
        transfer,
    },
    http::Api,
    output::{Exit, Failure, count},
};

/// Puts back what places held at a time, in the drive.
pub(super) async fn here(here: &Here, api: &Api, places: &[OsString], at: Timestamp) -> Result<Exit, Failure> {
    let mut all = Rewound::default();
    for place in places {
        let (node, path) = match DrivePlace::parse(place)? {
            DrivePlace::Node(node) => (Some(node), None),
            DrivePlace::Path(path) => (None, Some(path)),
        };
        let asked = Rewind { node, path, at };
        let (mut changed, mut back) = (0, 0);
        let told = loop {
            let told: Rewound = api
                .post("/api/drive/rewind", &asked)
                .await
                .map_err(|failure| explain(failure, Some(at)))?;
            changed += told.changed;
            back += told.back;
            if !told.more {
                break told;
            }
        };
        all.changed += changed;
        all.back += back;
        all.lost += told.lost;
        // What an earlier request put back is as it was for the last one.
        all.same += (told.changed + told.back + told.same).saturating_sub(changed + back);
    }
    here.out.one(&all, || told(&all))?;
    Ok(if all.lost == 0 { Exit::Done } else { Exit::Partly })
}

fn told(all: &Rewound) -> String {
    let mut text = format!(
        "{} put back, {} came back, {} as they were",
        count(all.changed, "file"),
        all.back,
        all.same
    );
    if all.lost > 0 {
        text += &format!("; of {} no version of that time is kept", count(all.lost, "file"));
    }
    text
}

/// Has a machine write what something in the drive holds or held.
pub(super) async fn on_machine(
    here: &Here,
    api: &Api,
    place: &OsString,
    at: Option<Timestamp>,
    on: &OsString,
    wait: bool,
) -> Result<Exit, Failure> {
    let (wanted, place) = (Live::parse(on)?, DrivePlace::parse(place)?);
    let query = at_query(&place, at);
    let origin: OriginView = api
        .get(&format!("/api/drive/origin?{query}"))
        .await
        .map_err(|failure| explain(failure, at))?;
    let node = find_at(api, &place, at).await?;
    let controller = here.controller()?;
    let mut control = Control::open(here, &controller).await?;
    let mut to = Spot::find(&control, &wanted)?;
    if node.is_some_and(|node| node.kind != EntryKind::Folder) {
        to = follow::under_its_name(to, on, &origin.path)?;
    }
    let copy = Copy {
        from: Followed {
            device: origin.device,
            root: origin.root,
            path: origin.path,
        },
        extent: Extent::At(origin.head),
        to,
    };
    let placed = follow::give(api, &mut control, &controller, copy).await?;
    transfer::tell(here, &mut control, placed, wait).await
}
