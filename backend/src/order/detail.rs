//! A transfer's whole story, as its page shows it.

use beckon_shared::{
    api::transfer::TransferDetail,
    id::TransferId,
    order::{OrderBody, Selection, SentFile, UploadOrder, first_selected, sent_files},
    path::{PATH_MAX, RootPath},
};

use crate::{
    access::{Access, Right},
    app::App,
    store::{
        Error,
        meta::{
            self,
            transfer::{Transfer, event, selection},
        },
    },
};

/// So many of the selected paths are told.
const SELECTED: usize = 100;

/// So many bytes of a selection hold them, however long they are: each path has its length before it, and their number
/// stands before all.
const SELECTED_BYTES: usize = SELECTED * (PATH_MAX + LENGTH_MAX) + LENGTH_MAX;

/// A length or number has at most so many bytes.
const LENGTH_MAX: usize = 10;

/// All that is known of a transfer of the account.
pub(crate) async fn detail(app: &App, access: &Access, id: &TransferId) -> Result<TransferDetail, Error> {
    let reader = app.meta().read();
    let transfer = meta::transfer::find(reader, &access.account, id).await?;
    let signer = meta::device::get(reader, &access.account, &transfer.signer).await?;
    let (selected, selected_total) = selected(app, &transfer).await?;
    let space = access.space(transfer.space, Right::Read)?;
    Ok(TransferDetail {
        ordered_by: signer.map(|signer| signer.name.to_string()).unwrap_or_default(),
        given_directly: transfer.given_directly,
        selected,
        selected_total,
        node: meta::transfer::node_of(reader, &space, &transfer).await?,
        events: event::list(reader, id).await?,
        transfer: app.live.newest(transfer.view),
    })
}

/// The first of what was selected, and how many there are. What travelled beside the order is kept until the transfer is over.
async fn selected(app: &App, transfer: &Transfer) -> Result<(Vec<RootPath>, Option<u64>), Error> {
    let order = transfer.order.order.peek().map_err(|_| Error::bad_row("order"))?;
    match order.body {
        OrderBody::Watch(_) => Ok((vec![RootPath::root()], Some(1))),
        OrderBody::Follow(follow) => Ok((vec![follow.path], Some(1))),
        OrderBody::Receive(receive) => {
            let bytes = selection::get(app.meta().read(), &transfer.account, &receive.files).await?;
            let files = bytes.and_then(|bytes| sent_files(&receive.files, &bytes).ok());
            Ok(files.map_or_else(Default::default, |files| sent(&receive.path, &files)))
        }
        OrderBody::Upload(UploadOrder {
            selection: Selection::Inline(mut paths),
            ..
        }) => {
            let total = paths.len() as u64;
            paths.truncate(SELECTED);
            Ok((paths, Some(total)))
        }
        OrderBody::Upload(UploadOrder {
            selection: Selection::Detached(hash),
            ..
        }) => {
            let bytes = selection::beginning(app.meta().read(), &transfer.account, &hash, SELECTED_BYTES).await?;
            let first = bytes.and_then(|bytes| first_selected(&bytes, SELECTED));
            Ok(first.map_or_else(Default::default, |(paths, total)| (paths, Some(total))))
        }
    }
}

/// Where the first of what is sent are written, and how many there are.
fn sent(folder: &RootPath, files: &[SentFile]) -> (Vec<RootPath>, Option<u64>) {
    let below = |file: &SentFile| {
        file.path
            .names()
            .try_fold(folder.clone(), |path, name| path.join(&name))
    };
    let paths = files.iter().take(SELECTED).filter_map(|file| below(file).ok());
    (paths.collect(), Some(files.len() as u64))
}
