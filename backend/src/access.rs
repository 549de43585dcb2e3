//! Who may do what in the store: no function of the store is reachable without one of these.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{AccountId, DeviceId, RootId, SpaceId, TransferId},
};

use crate::error::not_found;

/// What may be done in a space; a later one includes the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// List and read.
    Read,
    /// Also upload, move, delete, restore.
    Write,
}

/// What a signed-in person may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// The person's account.
    pub(crate) account: AccountId,
    /// Whether it administers the server.
    pub(crate) admin: bool,
    /// The spaces that it may use, its own one first.
    pub(crate) spaces: Vec<(SpaceId, Right)>,
}

impl Access {
    /// The right to use a space, if it is at least `right`; a space of somebody else is as absent as one that never was.
    pub(crate) fn space(&self, space: SpaceId, right: Right) -> Result<GrantedSpace, Refusal> {
        let granted = self.spaces.iter().find(|(id, _)| *id == space);
        match granted {
            Some((_, granted)) if *granted >= right => Ok(GrantedSpace {
                account: self.account,
                space,
                right: *granted,
            }),
            Some(_) => Err(Refusal::new(
                ErrorCode::NotAllowed,
                "you may read here but not change anything; ask the owner for more",
            )),
            None => Err(Refusal::new(
                ErrorCode::NotFound,
                "there is no such space; look into the list of your spaces again",
            )),
        }
    }

    /// The account's own space.
    pub(crate) fn own_space(&self, right: Right) -> Result<GrantedSpace, Refusal> {
        let own = self.spaces.first();
        own.map_or_else(
            || {
                Err(Refusal::new(
                    ErrorCode::NotFound,
                    "this account has no space yet; ask the server's administrator",
                ))
            },
            |(space, _)| self.space(*space, right),
        )
    }
}

/// Proof that somebody may use a space; made by [`Access::space`] and [`TransferAccess::granted`] alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrantedSpace {
    account: AccountId,
    space: SpaceId,
    right: Right,
}

impl GrantedSpace {
    /// The account on whose behalf it is used.
    pub(crate) fn account(&self) -> AccountId {
        self.account
    }

    /// The space.
    pub(crate) fn id(&self) -> SpaceId {
        self.space
    }

    /// The id as a database column holds it.
    pub(crate) fn column(&self) -> Vec<u8> {
        self.space.as_bytes().to_vec()
    }

    /// Stops who may only read.
    pub(crate) fn writable(&self) -> Result<(), Refusal> {
        if self.right < Right::Write {
            return Err(Refusal::new(
                ErrorCode::NotAllowed,
                "you may read here but not change anything; ask the owner for more",
            ));
        }
        Ok(())
    }
}

/// What a bearer ticket opens: the bulk requests of one device for one transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TransferAccess {
    /// The device's account.
    pub(crate) account: AccountId,
    /// The device that asks.
    pub(crate) device: DeviceId,
    /// The transfer.
    pub(crate) transfer: TransferId,
    /// Where its content is.
    pub(crate) space: SpaceId,
    /// The root of its machine.
    pub(crate) root: RootId,
    /// What of it may be asked.
    pub(crate) opens: Opens,
}

/// Which requests are open to whoever has a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opens {
    /// To store chunks and commits that put.
    Upload,
    /// To store chunks and all commits.
    Watch,
    /// To store chunks that the transfer's machine is to write.
    Send,
    /// To read what a root holds.
    Copy(Origin),
    /// To read the chunks that were stored for the transfer.
    Receive,
}

/// Whose commits a copy is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The device that signed them.
    pub(crate) device: DeviceId,
    /// Its root.
    pub(crate) root: RootId,
}

/// What may be read for a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// What a root holds and held.
    Root(Origin),
    /// The chunks that were stored for the transfer.
    Sent,
}

impl TransferAccess {
    /// The right to use the transfer's space, as far as the ticket goes.
    pub(crate) fn granted(&self) -> GrantedSpace {
        let right = match self.opens {
            Opens::Upload | Opens::Watch | Opens::Send => Right::Write,
            Opens::Copy(_) | Opens::Receive => Right::Read,
        };
        GrantedSpace {
            account: self.account,
            space: self.space,
            right,
        }
    }

    /// Stops who may not store chunks.
    pub(crate) fn may_store(&self) -> Result<(), Refusal> {
        match self.opens {
            Opens::Upload | Opens::Watch | Opens::Send => Ok(()),
            Opens::Copy(_) | Opens::Receive => Err(not_found()),
        }
    }

    /// Stops who may not commit, nor ask what the root's files are made of.
    pub(crate) fn may_commit(&self) -> Result<(), Refusal> {
        match self.opens {
            Opens::Upload | Opens::Watch => Ok(()),
            Opens::Send | Opens::Copy(_) | Opens::Receive => Err(not_found()),
        }
    }

    /// What may be read, or why nothing.
    pub(crate) fn may_read(&self) -> Result<Reads, Refusal> {
        match self.opens {
            Opens::Copy(origin) => Ok(Reads::Root(origin)),
            Opens::Receive => Ok(Reads::Sent),
            Opens::Upload | Opens::Watch | Opens::Send => Err(not_found()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> (Access, SpaceId, SpaceId) {
        let [own, shared] = [1, 2].map(|seed| SpaceId::new(Default::default(), [seed; 10]));
        let spaces = vec![(own, Right::Write), (shared, Right::Read)];
        (
            Access {
                account: AccountId([1; 32]),
                admin: false,
                spaces,
            },
            own,
            shared,
        )
    }

    #[test]
    fn a_right_to_write_includes_reading_and_not_the_other_way_round() {
        let (access, own, shared) = access();
        assert!(access.space(own, Right::Read).is_ok());
        assert!(
            access
                .space(own, Right::Write)
                .is_ok_and(|space| space.writable().is_ok())
        );
        assert!(
            access
                .space(shared, Right::Read)
                .is_ok_and(|space| space.writable().is_err())
        );
        assert_eq!(
            access.space(shared, Right::Write).unwrap_err().code,
            ErrorCode::NotAllowed
        );
    }

    #[test]
    fn a_ticket_opens_nothing_but_what_its_transfer_is_about() {
        let (_, own, _) = access();
        let origin = Origin {
            device: DeviceId([2; 32]),
            root: RootId([3; 16]),
        };
        let may = |opens| {
            let access = TransferAccess {
                account: AccountId([1; 32]),
                device: DeviceId([1; 32]),
                transfer: TransferId::new(Default::default(), [1; 10]),
                space: own,
                root: RootId([1; 16]),
                opens,
            };
            let writes = access.granted().writable().is_ok();
            assert_eq!(writes, access.may_store().is_ok());
            (writes, access.may_commit().is_ok(), access.may_read().ok())
        };
        assert_eq!(may(Opens::Upload), (true, true, None));
        assert_eq!(may(Opens::Watch), (true, true, None));
        assert_eq!(may(Opens::Send), (true, false, None));
        assert_eq!(may(Opens::Copy(origin)), (false, false, Some(Reads::Root(origin))));
        assert_eq!(may(Opens::Receive), (false, false, Some(Reads::Sent)));
    }

    #[test]
    fn a_space_of_somebody_else_is_plainly_not_there() {
        let (access, ..) = access();
        let other = SpaceId::new(Default::default(), [3; 10]);
        assert_eq!(access.space(other, Right::Read).unwrap_err().code, ErrorCode::NotFound);
    }
}
