//! The rows of spaces, nodes, versions, commits, packs and chunks. What each table is for stands in its migration.

use beckon_shared::entry::EntryKind;
use sea_orm::entity::prelude::*;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i64", db_type = "BigInteger")]
pub(crate) enum Kind {
    /// A directory.
    #[sea_orm(num_value = 0)]
    Folder,
    /// A regular file.
    #[sea_orm(num_value = 1)]
    File,
    /// A symbolic link.
    #[sea_orm(num_value = 2)]
    Symlink,
}

impl From<Kind> for EntryKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Folder => Self::Folder,
            Kind::File => Self::File,
            Kind::Symlink => Self::Symlink,
        }
    }
}

/// Most tables have no relations declared: what is read together is joined where it is read.
macro_rules! no_relations {
    () => {
        /// None.
        #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
        pub(crate) enum Relation {}
        impl ActiveModelBehavior for ActiveModel {}
    };
}

pub(crate) mod space {
    //! A tree of stored files.
    use super::*;

    /// A space.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "space")]
    pub(crate) struct Model {
        /// `SpaceId`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Vec<u8>,
        /// `AccountId` of the owner.
        pub(crate) account: Vec<u8>,
        /// For people.
        pub(crate) name: String,
        /// How content is stored.
        pub(crate) suite: i64,
        /// Of the key that content is sealed with; 0 where it is not.
        pub(crate) key_epoch: i64,
        /// `ChunkKey`.
        pub(crate) chunk_key: Vec<u8>,
        /// The nameless node at the top.
        pub(crate) top: i64,
        /// When it was made.
        pub(crate) created: i64,
        /// Grows with every change.
        pub(crate) revision: i64,
        /// Most stored bytes.
        pub(crate) quota: Option<i64>,
    }
    no_relations!();
}

pub(crate) mod machine_folder {
    //! The folder of a machine at the top of a space.
    use super::*;

    /// A binding.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "machine_folder")]
    pub(crate) struct Model {
        /// `SpaceId`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) space: Vec<u8>,
        /// `DeviceId`.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) device: Vec<u8>,
        /// The node.
        pub(crate) folder: i64,
    }
    no_relations!();
}

pub(crate) mod source {
    //! A root of a device, with the head of its commits.
    use super::*;

    /// A root of a device in a space.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "source")]
    pub(crate) struct Model {
        /// Row number.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) no: i64,
        /// `SpaceId`.
        pub(crate) space: Vec<u8>,
        /// `DeviceId`.
        pub(crate) device: Vec<u8>,
        /// `RootId`.
        pub(crate) root: Vec<u8>,
        /// The node that the root itself is bound to.
        pub(crate) folder: i64,
        /// Grows when the drive's side changed other than by the root's own commits.
        pub(crate) epoch: i64,
        /// Number of the newest commit.
        pub(crate) head_number: i64,
        /// Hash of the newest commit.
        pub(crate) head_hash: Vec<u8>,
    }
    no_relations!();
}

pub(crate) mod node {
    //! Files and folders.
    use super::*;

    /// A file, folder or symlink.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "node")]
    pub(crate) struct Model {
        /// Row number.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) no: i64,
        /// `NodeId`.
        pub(crate) id: Vec<u8>,
        /// `SpaceId`.
        pub(crate) space: Vec<u8>,
        /// The folder that holds it; none for a space's top.
        pub(crate) parent: Option<i64>,
        /// Unique among the live ones of a folder.
        pub(crate) name: Vec<u8>,
        /// The name as it is searched for.
        pub(crate) folded: String,
        /// What it is.
        pub(crate) kind: Kind,
        /// Row number of its newest version.
        pub(crate) head: Option<i64>,
        /// Row number of the root that it came from.
        pub(crate) source: Option<i64>,
        /// The node that its folder on the machine is bound to.
        pub(crate) source_parent: Option<i64>,
        /// Its name on the machine.
        pub(crate) source_name: Option<Vec<u8>>,
        /// When it was made.
        pub(crate) created: i64,
        /// When it was deleted; all that lay below it then has the same mark, so a row tells by itself whether it is live.
        pub(crate) deleted_at: Option<i64>,
    }
    no_relations!();
}

pub(crate) mod version {
    //! Contents of nodes, without their manifests.
    use super::*;

    /// One immutable content of a node.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "version")]
    pub(crate) struct Model {
        /// Row number; a later version has a greater one.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) no: i64,
        /// `VersionId`.
        pub(crate) id: Vec<u8>,
        /// The node.
        pub(crate) node: i64,
        /// The commit that brought it.
        pub(crate) root_commit: Option<i64>,
        /// `DeviceId` of the machine that it came from.
        pub(crate) device: Option<Vec<u8>>,
        /// When it was committed.
        pub(crate) created: i64,
        /// How content is stored.
        pub(crate) suite: i64,
        /// Of the key that content is sealed with; 0 where it is not.
        pub(crate) key_epoch: i64,
        /// Plain BLAKE3 of the manifest.
        pub(crate) manifest_hash: Vec<u8>,
        /// What it is.
        pub(crate) kind: Kind,
        /// Permission bits.
        pub(crate) mode: i64,
        /// Bytes of content.
        pub(crate) size: i64,
        /// Modification time at the source, in nanoseconds.
        pub(crate) mtime_ns: i64,
        /// Plain BLAKE3 of the content, of files.
        pub(crate) hash: Option<Vec<u8>>,
        /// CRC-32 of the content, of files.
        pub(crate) crc32: Option<i64>,
        /// It changed while it was read.
        pub(crate) torn: bool,
        /// `SourceStamp::size`, of files, like the next four.
        pub(crate) stamp_size: Option<i64>,
        /// `SourceStamp::mtime_ns`.
        pub(crate) stamp_mtime_ns: Option<i64>,
        /// `SourceStamp::ctime_ns`.
        pub(crate) stamp_ctime_ns: Option<i64>,
        /// `SourceStamp::file_id`, its bits as a signed number.
        pub(crate) stamp_file_id: Option<i64>,
        /// When the read began.
        pub(crate) read_ns: Option<i64>,
    }
    no_relations!();

    impl Model {
        /// The source stamp, of files.
        pub(crate) fn stamp(&self) -> Option<beckon_shared::entry::SourceStamp> {
            Some(beckon_shared::entry::SourceStamp {
                size: self.stamp_size?.cast_unsigned(),
                mtime_ns: self.stamp_mtime_ns?,
                ctime_ns: self.stamp_ctime_ns?,
                file_id: self.stamp_file_id?.cast_unsigned(),
            })
        }

        /// Whether the stamp alone proves the content.
        pub(crate) fn is_settled(&self) -> bool {
            let stamp = self.stamp().zip(self.read_ns);
            !self.torn && stamp.is_none_or(|(stamp, read_ns)| stamp.is_settled(read_ns))
        }
    }
}

pub(crate) mod manifest {
    //! Manifests, apart from the versions because they can be long.
    use super::*;

    /// A manifest as it came.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "manifest")]
    pub(crate) struct Model {
        /// Row number of the version.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) version: i64,
        /// The encoding.
        pub(crate) bytes: Vec<u8>,
    }
    no_relations!();
}

pub(crate) mod root_commit {
    //! Commits as they were signed.
    use super::*;

    /// A commit.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "root_commit")]
    pub(crate) struct Model {
        /// Row number.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) no: i64,
        /// The root.
        pub(crate) source: i64,
        /// Its place in the chain.
        pub(crate) number: i64,
        /// What the next one names as its parent.
        pub(crate) hash: Vec<u8>,
        /// The signed bytes.
        pub(crate) bytes: Vec<u8>,
        /// Over the bytes.
        pub(crate) signature: Vec<u8>,
        /// When the server took it.
        pub(crate) at: i64,
    }
    no_relations!();
}

pub(crate) mod commit_change {
    //! What each commit changed.
    use super::*;

    /// One change.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "commit_change")]
    pub(crate) struct Model {
        /// The commit.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) root_commit: i64,
        /// Its place in the commit.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) seq: i64,
        /// The encoded `Change`.
        pub(crate) bytes: Vec<u8>,
        /// The version that it made or confirmed.
        pub(crate) version: Option<i64>,
    }
    no_relations!();
}

pub(crate) mod chunk_use {
    //! Which versions need which chunks.
    use super::*;

    /// A need.
    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "chunk_use")]
    pub(crate) struct Model {
        /// The chunk.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) chunk: i64,
        /// The version.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) version: i64,
    }
    no_relations!();
}
