//! The format of packs, pinned.

use proptest::prelude::*;

use super::*;

fn id(seed: u8) -> PackId {
    PackId(Uuid::from_bytes([seed; 16]))
}

fn space() -> SpaceId {
    SpaceId(Uuid::from_bytes([9; 16]))
}

fn pack(chunks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = header(id(7)).to_vec();
    for (at, stored) in chunks.iter().enumerate() {
        let len = stored.len() as u32;
        let head = ChunkHeader {
            id: ChunkId([at as u8; 32]),
            encoding: Encoding::Plain,
            len,
            stored_len: len,
        };
        bytes.extend(record(space(), &head, stored));
        bytes.extend_from_slice(stored);
    }
    bytes.extend(footer(chunks.len() as u32));
    bytes
}

#[test]
fn a_pack_has_these_bytes() {
    let pinned = [
        "424b5041434b3031000000000000000007070707070707070707070707070707",
        "424b4348554e4b3109090909090909090909090909090909",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "00000000030000000300000084be0e2b4af0ec5ef9b5a15f2ab1b81c616263",
        "424b50414b454e4401000000",
    ];
    let bytes = hex::encode(pack(&[b"abc"]));
    let (record, footer) = (pinned[..4].concat(), pinned[4]);
    let checkless = |text: &str| text.replace("84be0e2b4af0ec5ef9b5a15f2ab1b81c", "");
    let check = hex::encode(
        &blake3::hash(&hex::decode(format!("{}{}{}616263", pinned[1], pinned[2], &pinned[3][..24])).unwrap())
            .as_bytes()[..16],
    );
    assert_eq!(bytes[..record.len()].replace(&check, ""), checkless(&record));
    assert_eq!(&bytes[record.len()..record.len() + footer.len()], footer);
    assert_eq!(bytes.len(), 2 * (HEADER_LEN + RECORD_LEN + 3 + FOOTER_LEN));
}

#[test]
fn what_was_packed_comes_back() {
    let bytes = pack(&[b"one", b"second", &[5; 70_000]]);
    let contents = parse(&bytes);
    assert_eq!((contents.id, contents.complete), (Some(id(7)), true));
    let stored: Vec<&[u8]> = contents.records.iter().map(|record| record.stored(&bytes)).collect();
    assert_eq!(stored, [b"one".as_slice(), b"second", &[5; 70_000]]);
    assert!(
        contents
            .records
            .iter()
            .all(|record| record.intact && record.space == space())
    );
}

#[test]
fn a_torn_tail_keeps_the_whole_records() {
    let bytes = pack(&[b"one", b"second"]);
    let cut = &bytes[..bytes.len() - FOOTER_LEN - 2];
    let contents = parse(cut);
    assert!(!contents.complete);
    assert_eq!(contents.records.len(), 1);
}

#[test]
fn damaged_bytes_are_named_and_the_next_chunk_is_found() {
    let mut bytes = pack(&[b"one", b"second", b"third"]);
    let at = HEADER_LEN + 2 * RECORD_LEN + 3 + 1;
    bytes[at] ^= 1;
    let contents = parse(&bytes);
    assert_eq!(
        contents.records.iter().map(|record| record.intact).collect::<Vec<_>>(),
        [true, false, true]
    );
}

#[test]
fn a_damaged_length_costs_one_chunk_only() {
    let mut bytes = pack(&[b"one", b"second", b"third"]);
    bytes[HEADER_LEN + RECORD_LEN + 3 + 64] ^= 0x40;
    let contents = parse(&bytes);
    let found: Vec<&[u8]> = contents
        .records
        .iter()
        .filter(|record| record.intact)
        .map(|record| record.stored(&bytes))
        .collect();
    assert_eq!(found, [b"one".as_slice(), b"third"]);
    assert!(!contents.complete);
}

#[test]
fn a_damaged_header_costs_no_chunk() {
    let mut bytes = pack(&[b"one", b"second"]);
    bytes[3] ^= 1;
    let contents = parse(&bytes);
    assert_eq!((contents.id, contents.records.len()), (None, 2));
    assert!(contents.records.iter().all(|record| record.intact));
}

#[test]
fn something_else_is_no_pack() {
    assert_eq!(
        parse(b""),
        Contents {
            id: None,
            records: Vec::new(),
            complete: false
        }
    );
    assert_eq!(
        parse(&[0; 100]),
        Contents {
            id: None,
            records: Vec::new(),
            complete: false
        }
    );
}

proptest! {
    #[test]
    fn perturbed_bytes_never_panic(at in 0usize..500, with in any::<u8>(), cut in 0usize..500) {
        let mut bytes = pack(&[&[1; 40], &[2; 90], &[3; 10]]);
        let len = bytes.len();
        bytes[at % len] = with;
        bytes.truncate(len - cut % len);
        for record in parse(&bytes).records {
            prop_assert_eq!(record.stored(&bytes).len(), record.chunk.stored_len as usize);
        }
    }
}
