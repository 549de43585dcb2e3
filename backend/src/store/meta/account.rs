//! Accounts: who they are, and what proves their passwords and recovery words.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    id::{AccountId, Hash, SpaceId},
    password::{KdfParams, WrappedKey},
    signature::{PublicKey, Signed},
    statement::{Standing, Statement},
    time::Timestamp,
    wire,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, IntoActiveModel, entity::prelude::*};

use super::{
    Txn,
    word::{array, name_key, number},
};
use crate::store::Error;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Vec<u8>,
    name: String,
    name_key: String,
    public_key: Vec<u8>,
    admin: bool,
    space: Vec<u8>,
    created: i64,
    salt: Vec<u8>,
    kdf_memory_kib: i64,
    kdf_passes: i64,
    kdf_lanes: i64,
    auth_hash: Vec<u8>,
    wrapped: Vec<u8>,
    password_at: i64,
    recovery_hash: Vec<u8>,
    recovery_wrapped: Vec<u8>,
    statement: Option<Vec<u8>>,
    disabled_at: Option<i64>,
}

/// None.
#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

/// A person who signs in.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// The hash of its key.
    pub(crate) id: AccountId,
    /// As first written.
    pub(crate) name: String,
    /// What its devices pin.
    pub(crate) key: PublicKey,
    /// Whether it administers the server.
    pub(crate) admin: bool,
    /// Whether an administrator has shut it out.
    pub(crate) disabled: bool,
    /// Its own space.
    pub(crate) space: SpaceId,
    /// What checks its password.
    pub(crate) password: Password,
    /// What checks its recovery words.
    pub(crate) recovery: Proof,
    /// Its revocations.
    pub(crate) standing: Standing,
}

/// What the server keeps of a password.
#[derive(Debug, Clone)]
pub(crate) struct Password {
    /// Of the key derivation.
    pub(crate) salt: [u8; 16],
    /// Of the key derivation.
    pub(crate) params: KdfParams,
    /// Hash and wrap.
    pub(crate) proof: Proof,
    /// When the account said so.
    pub(crate) at: Timestamp,
}

/// What checks a secret, and what the secret opens.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    /// Of the auth secret.
    pub(crate) hash: Hash,
    /// The account key under the secret's other half.
    pub(crate) wrapped: WrappedKey,
}

/// How many accounts there are.
pub(crate) async fn count(on: &impl ConnectionTrait) -> Result<u64, Error> {
    Ok(Entity::find().count(on).await?)
}

/// The account of this name, without case.
pub(crate) async fn by_name(on: &impl ConnectionTrait, name: &str) -> Result<Option<Account>, Error> {
    Entity::find()
        .filter(Column::NameKey.eq(name_key(name)))
        .one(on)
        .await?
        .map(parse)
        .transpose()
}

/// The account of this id.
pub(crate) async fn by_id(on: &impl ConnectionTrait, id: &AccountId) -> Result<Option<Account>, Error> {
    Entity::find_by_id(id.as_bytes().to_vec())
        .one(on)
        .await?
        .map(parse)
        .transpose()
}

/// Records a new account.
pub(crate) async fn insert(txn: &Txn, account: &Account, now: Timestamp) -> Result<(), Error> {
    if by_name(txn, &account.name).await?.is_some() {
        return Err(Refusal::new(
            ErrorCode::NameTaken,
            "there is an account of this name; choose another name",
        )
        .into());
    }
    Entity::insert(model(account, now).into_active_model())
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Puts a new password in place of the old one.
pub(crate) async fn set_password(txn: &Txn, id: &AccountId, password: &Password) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(id.as_bytes().to_vec()),
        salt: Set(password.salt.to_vec()),
        kdf_memory_kib: Set(password.params.memory_kib.into()),
        kdf_passes: Set(password.params.passes.into()),
        kdf_lanes: Set(password.params.lanes.into()),
        auth_hash: Set(password.proof.hash.as_bytes().to_vec()),
        wrapped: Set(password.proof.wrapped.as_bytes().to_vec()),
        password_at: Set(password.at.0),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Puts a newer revocation in place of the last one.
pub(crate) async fn set_statement(txn: &Txn, id: &AccountId, statement: &Signed<Statement>) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(id.as_bytes().to_vec()),
        statement: Set(Some(wire::encode(statement))),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Shuts an account out, or lets it in again.
pub(crate) async fn set_disabled(txn: &Txn, id: &AccountId, since: Option<Timestamp>) -> Result<(), Error> {
    let row = ActiveModel {
        id: Set(id.as_bytes().to_vec()),
        disabled_at: Set(since.map(|at| at.0)),
        ..Default::default()
    };
    row.update(txn).await?;
    Ok(())
}

/// Whether the account is shut out, or not there.
pub(crate) async fn is_disabled(on: &impl ConnectionTrait, id: &AccountId) -> Result<bool, Error> {
    let enabled = Entity::find_by_id(id.as_bytes().to_vec()).filter(Column::DisabledAt.is_null());
    Ok(enabled.count(on).await? == 0)
}

/// What everybody of an account that is shut out is told.
pub(crate) fn shut_out() -> Refusal {
    Refusal::new(
        ErrorCode::NotAllowed,
        "this account was disabled; ask the administrator of the server",
    )
}

fn model(account: &Account, now: Timestamp) -> Model {
    let password = &account.password;
    Model {
        id: account.id.as_bytes().to_vec(),
        name: account.name.clone(),
        name_key: name_key(&account.name),
        public_key: account.key.0.to_vec(),
        admin: account.admin,
        space: account.space.as_bytes().to_vec(),
        created: now.0,
        salt: password.salt.to_vec(),
        kdf_memory_kib: password.params.memory_kib.into(),
        kdf_passes: password.params.passes.into(),
        kdf_lanes: password.params.lanes.into(),
        auth_hash: password.proof.hash.as_bytes().to_vec(),
        wrapped: password.proof.wrapped.as_bytes().to_vec(),
        password_at: password.at.0,
        recovery_hash: account.recovery.hash.as_bytes().to_vec(),
        recovery_wrapped: account.recovery.wrapped.as_bytes().to_vec(),
        statement: account.standing.newest().map(wire::encode),
        disabled_at: account.disabled.then_some(now.0),
    }
}

fn parse(row: Model) -> Result<Account, Error> {
    let key = PublicKey(array(row.public_key)?);
    Ok(Account {
        id: AccountId(array(row.id)?),
        name: row.name,
        key,
        admin: row.admin,
        disabled: row.disabled_at.is_some(),
        space: SpaceId::from_slice(&row.space).map_err(|_| Error::bad_row("space id"))?,
        password: Password {
            salt: array(row.salt)?,
            params: KdfParams {
                memory_kib: number(row.kdf_memory_kib)?,
                passes: number(row.kdf_passes)?,
                lanes: number(row.kdf_lanes)?,
            },
            proof: proof(row.auth_hash, row.wrapped)?,
            at: Timestamp(row.password_at),
        },
        recovery: proof(row.recovery_hash, row.recovery_wrapped)?,
        standing: standing(row.statement.as_deref(), &key)?,
    })
}

fn proof(hash: Vec<u8>, wrapped: Vec<u8>) -> Result<Proof, Error> {
    let wrapped = WrappedKey::from_bytes(wrapped).map_err(|_| Error::bad_row("wrapped key"))?;
    Ok(Proof {
        hash: Hash(array(hash)?),
        wrapped,
    })
}

/// Each revocation names all that were revoked before, so the newest one says everything.
fn standing(statement: Option<&[u8]>, key: &PublicKey) -> Result<Standing, Error> {
    let mut standing = Standing::default();
    if let Some(bytes) = statement {
        let statement = wire::decode(bytes).map_err(|_| Error::bad_row("statement"))?;
        standing
            .accept(&statement, key)
            .map_err(|_| Error::bad_row("statement"))?;
    }
    Ok(standing)
}
