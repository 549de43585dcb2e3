//! An index of very many chunks, without storing them.

use std::{path::Path, process::Command};

/// Chunks of a pack of 16 MiB, at 256 KiB each.
const IN_A_PACK: u64 = 64;

/// Writes rows for `count` chunks that belong to the first account into the database of a server that does not run. Their
/// packs are not there, so nothing can be read of them.
pub fn fill(data: &Path, count: u64) {
    let packs = count.div_ceil(IN_A_PACK);
    let script = format!(
        "BEGIN;
        INSERT INTO pack (no, id, bytes, created)
            WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {packs} - 1)
            SELECT c.next + i, randomblob(16), 16777216, 0 FROM n, counter c;
        INSERT INTO chunk (no, space, id, pack, start, stored_len, len, encoding, suite, key_epoch)
            WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count} - 1)
            SELECT c.next + {packs} + i, (SELECT id FROM space LIMIT 1), randomblob(32), c.next + i / {IN_A_PACK},
                (i % {IN_A_PACK}) * 262144, 262144, 262144, 0, 0, 0 FROM n, counter c;
        UPDATE counter SET next = next + {packs} + {count};
        COMMIT;"
    );
    let output = Command::new("sqlite3")
        .arg(data.join("beckon.sqlite"))
        .arg(script)
        .output()
        .expect("sqlite3 starts: `cargo xtask test` installs it");
    assert!(output.status.success(), "{output:?}");
}
