//! Signing up: the first account by the set-up code, later ones by invitations.

use actix_web::{HttpRequest, web};
use beckon_shared::{
    api::account::{SignUp, SignedIn},
    error::{ErrorCode, Refusal},
    id::Hash,
    join::SetupCode,
    keys::account_id,
    password::AuthSecret,
    statement::Standing,
};

use super::{admit, check_device, limit, password};
use crate::{
    app::App,
    error::{Answer, Failure},
    store::{
        Error,
        meta::{
            self, Txn,
            account::{Account, Proof},
            invitation::Terms,
            setting::Setting,
        },
    },
};

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Permission {
    /// The server has no account yet.
    First,
    /// The invitation whose code has this hash.
    Invited(Hash),
}

/// Makes an account: the first one by the set-up code, others by the code of an invitation.
#[utoipa::path(post, path = "/api/sign-up", request_body = SignUp, responses((status = 200, body = SignedIn)))]
pub(in crate::http) async fn sign_up(app: web::Data<App>, request: HttpRequest, body: web::Json<SignUp>) -> Answer {
    limit(&app, &request)?;
    let now = app.clock.now();
    // Looked at before anything is written, so that who only guesses keeps nobody from writing.
    let permission = permission(&app, &body.setup_code).await?;
    let key = body.account_key.0;
    let certificate = check_device(&app, &body.device, &key, &Standing::default())?;
    let txn = app.meta().write().await?;
    let terms = redeem(&app, &txn, permission).await?;
    let id = account_id(&key);
    let account = Account {
        id,
        name: body.name.to_string(),
        key,
        admin: terms.admin,
        disabled: false,
        space: meta::space::create(&txn, &*app.clock, id).await?,
        password: password::checked(&body.password, now)?,
        recovery: Proof {
            hash: AuthSecret::from_bytes(body.recovery_auth.0).hash(),
            wrapped: password::checked_wrap(&body.recovery_wrapped.0)?,
        },
        standing: Standing::default(),
    };
    meta::space::set_quota(&txn, account.space, terms.quota).await?;
    meta::account::insert(&txn, &account, now).await?;
    admit::admit(&app, &request, txn, &account, &body.device, &certificate).await
}

async fn permission(app: &App, code: &str) -> Result<Permission, Failure> {
    let (reader, now) = (app.meta().read(), app.clock.now());
    if meta::account::count(reader).await? == 0 {
        return match app.setup.accepts(app.meta(), code, now).await? {
            true => Ok(Permission::First),
            false => Err(Failure::new(
                ErrorCode::BadSetupCode,
                "the set-up code is wrong or has expired; run `beckon-server reset-setup` on the server for a new one",
            )),
        };
    }
    let hash = SetupCode::parse(code).map_err(|_| not_invited())?.hash();
    if meta::invitation::is_open(reader, &hash, now).await? {
        return Ok(Permission::Invited(hash));
    }
    Err(not_invited().into())
}

/// Uses the permission up, in the transaction that makes the account.
async fn redeem(app: &App, txn: &Txn, permission: Permission) -> Result<Terms, Error> {
    // So that two who come with the set-up code count the accounts one after the other, on PostgreSQL too.
    meta::numbers(txn, 0).await?;
    match permission {
        Permission::Invited(hash) => {
            let terms = meta::invitation::take(txn, &hash, app.clock.now()).await?;
            terms.ok_or_else(|| not_invited().into())
        }
        Permission::First if meta::account::count(txn).await? > 0 => Err(not_invited().into()),
        Permission::First => {
            meta::setting::clear(txn, Setting::SetUpCode).await?;
            Ok(Terms {
                admin: true,
                quota: None,
            })
        }
    }
}

fn not_invited() -> Refusal {
    Refusal::new(
        ErrorCode::BadSetupCode,
        "this server has accounts already, and the invitation's code is wrong, was used or has expired; ask an administrator \
         for a new one",
    )
}
