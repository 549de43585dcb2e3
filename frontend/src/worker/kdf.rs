//! Argon2id in a worker that ends afterwards, with all the memory in which the password stood.

use std::{cell::RefCell, rc::Rc};

use beckon_shared::{
    error::Refusal,
    password::{self, BadPassword, KdfParams, PasswordSecrets},
};
use futures_channel::oneshot;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use zeroize::{Zeroize, Zeroizing};

use super::{Heard, Job, Take, Worker};

/// Salt, then memory, passes and lanes as 4 bytes each; the password follows.
const HEAD: usize = 16 + 3 * 4;
/// Every way in which a derivation fails, as its first byte counts them from 1; 0 is success.
const FAILURES: [BadPassword; 5] = [
    BadPassword::Empty,
    BadPassword::Short,
    BadPassword::Long,
    BadPassword::Params,
    BadPassword::Memory,
];

/// Derives both secrets of a password. Refuses weak parameters before anything starts.
pub(crate) async fn derive(
    password: &str,
    salt: &[u8; 16],
    params: &KdfParams,
) -> Result<Result<PasswordSecrets, BadPassword>, Refusal> {
    if let Err(bad) = params.check() {
        return Ok(Err(bad));
    }
    let (done, answer) = oneshot::channel();
    let done = Rc::new(RefCell::new(Some(done)));
    let worker = Worker::spawn(Job::Derive, move |heard| {
        let message = match heard {
            Heard::Message(message) => Some(message),
            Heard::Broken => None,
        };
        if let Some(done) = done.take() {
            let _ = done.send(message);
        }
    })?;
    let ask = moved(&mut encode(password, salt, params));
    worker.post(&ask, &Array::of1(&ask.buffer()));
    let answer = answer.await.ok().flatten();
    drop(worker);
    answer.as_ref().and_then(read).ok_or_else(super::broken)
}

/// In the worker: answers one question.
pub(super) fn work() -> Take {
    Box::new(|message| {
        let Ok(message) = message.dyn_into::<Uint8Array>() else {
            return;
        };
        let asked = Zeroizing::new(message.to_vec());
        let mut answer = answer(&asked);
        let answer = moved(&mut answer);
        super::tell(&answer, &Array::of1(&answer.buffer()));
    })
}

fn answer(asked: &[u8]) -> Vec<u8> {
    let derived = decode(asked).and_then(|(password, salt, params)| password::derive(password, &salt, &params));
    match derived {
        Ok(secrets) => [&[0], secrets.to_bytes().as_slice()].concat(),
        Err(bad) => {
            let place = FAILURES.iter().position(|known| *known == bad).unwrap_or(0);
            vec![u8::try_from(place + 1).unwrap_or(u8::MAX)]
        }
    }
}

fn read(answer: &JsValue) -> Option<Result<PasswordSecrets, BadPassword>> {
    let array: &Uint8Array = answer.dyn_ref()?;
    let bytes = Zeroizing::new(array.to_vec());
    array.fill(0, 0, array.length());
    match bytes.split_first()? {
        (0, secrets) => {
            let secrets: &[u8; PasswordSecrets::LEN] = secrets.try_into().ok()?;
            Some(Ok(PasswordSecrets::from_bytes(secrets)))
        }
        (place, _) => FAILURES.get(usize::from(*place) - 1).map(|bad| Err(*bad)),
    }
}

/// The bytes as the browser's own, to be moved between threads; here nothing stays of them.
fn moved(bytes: &mut Vec<u8>) -> Uint8Array {
    let array = Uint8Array::from(bytes.as_slice());
    bytes.zeroize();
    array
}

fn encode(password: &str, salt: &[u8; 16], params: &KdfParams) -> Vec<u8> {
    // Of the right size at once: growing would leave copies of the password behind.
    let mut bytes = Vec::with_capacity(HEAD + password.len());
    bytes.extend_from_slice(salt);
    for cost in [params.memory_kib, params.passes, params.lanes] {
        bytes.extend_from_slice(&cost.to_le_bytes());
    }
    bytes.extend_from_slice(password.as_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Result<(&str, [u8; 16], KdfParams), BadPassword> {
    let parts = || {
        let (head, password) = bytes.split_at_checked(HEAD)?;
        let cost = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let params = KdfParams {
            memory_kib: cost(16)?,
            passes: cost(20)?,
            lanes: cost(24)?,
        };
        Some((std::str::from_utf8(password).ok()?, head[..16].try_into().ok()?, params))
    };
    parts().ok_or(BadPassword::Params)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn a_question_reads_as_it_was_asked() {
        let params = KdfParams::HIGHEST;
        let bytes = encode("påssword 密码", &[7; 16], &params);
        assert_eq!(decode(&bytes), Ok(("påssword 密码", [7; 16], params)));
        assert_eq!(decode(&bytes[..HEAD - 1]), Err(BadPassword::Params));
    }

    #[wasm_bindgen_test]
    fn every_failure_comes_over() {
        let bytes = answer(&encode("", &[7; 16], &KdfParams::STANDARD));
        let read = read(&Uint8Array::from(bytes.as_slice()));
        assert_eq!(read.map(|read| read.map(drop)), Some(Err(BadPassword::Empty)));
    }

    #[wasm_bindgen_test]
    fn the_worker_derives_what_any_other_program_does() {
        let bytes = answer(&encode("correct horse", &[7; 16], &KdfParams::STANDARD));
        let here = read(&Uint8Array::from(bytes.as_slice())).and_then(Result::ok);
        let known = password::derive("correct horse", &[7; 16], &KdfParams::STANDARD).ok();
        let bytes = |secrets: Option<PasswordSecrets>| secrets.map(|secrets| secrets.to_bytes().to_vec());
        assert_eq!(bytes(here), bytes(known));
    }
}
