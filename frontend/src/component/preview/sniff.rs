//! What a file is, by its first bytes and never by what somebody says: each kind has one fixed, harmless type.

/// What can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// In an `<img>`, where nothing in it runs.
    Image(&'static str, &'static str),
    /// SVG, of which only the pixels are shown.
    Drawing,
    /// Words, shown as they are.
    Text,
    /// In the browser's own viewer.
    Pdf,
    /// Sound.
    Audio(&'static str, &'static str),
    /// Film.
    Video(&'static str, &'static str),
}

impl Kind {
    /// The type that the browser is told.
    pub(super) fn mime(self) -> &'static str {
        match self {
            Self::Image(mime, _) | Self::Audio(mime, _) | Self::Video(mime, _) => mime,
            Self::Drawing => "image/svg+xml",
            Self::Text => "text/plain",
            Self::Pdf => "application/pdf",
        }
    }
}

/// So many bytes are looked at.
pub(super) const HEAD: u32 = 64 * 1024;

const MAGIC: [(&[u8], Kind); 16] = [
    (b"\x89PNG\r\n\x1a\n", Kind::Image("image/png", "PNG")),
    (b"\xff\xd8\xff", Kind::Image("image/jpeg", "JPEG")),
    (b"GIF87a", Kind::Image("image/gif", "GIF")),
    (b"GIF89a", Kind::Image("image/gif", "GIF")),
    (b"BM", Kind::Image("image/bmp", "BMP")),
    (b"\0\0\x01\0", Kind::Image("image/x-icon", "ICO")),
    (b"%PDF-", Kind::Pdf),
    (b"ID3", Kind::Audio("audio/mpeg", "MP3")),
    (b"\xff\xfb", Kind::Audio("audio/mpeg", "MP3")),
    (b"\xff\xf3", Kind::Audio("audio/mpeg", "MP3")),
    (b"\xff\xf1", Kind::Audio("audio/aac", "AAC")),
    (b"fLaC", Kind::Audio("audio/flac", "FLAC")),
    (b"OggS", Kind::Audio("audio/ogg", "Ogg")),
    (b"\x1a\x45\xdf\xa3", Kind::Video("video/webm", "WebM")),
    (b"\xff\xf9", Kind::Audio("audio/aac", "AAC")),
    (b"\xff\xf2", Kind::Audio("audio/mpeg", "MP3")),
];

/// What the first bytes of a file say. The name only tells a drawing from other texts.
pub(super) fn sniff(head: &[u8], name: &str) -> Option<Kind> {
    if let Some(kind) = riff(head).or_else(|| boxes(head)) {
        return Some(kind);
    }
    // Two letters are too few to tell a bitmap from a text.
    let found = MAGIC
        .iter()
        .find(|(magic, _)| head.starts_with(magic) && (magic != b"BM" || !is_text(head)));
    if let Some((_, kind)) = found {
        return Some(*kind);
    }
    if !is_text(head) {
        return None;
    }
    Some(if is_drawing(head, name) {
        Kind::Drawing
    } else {
        Kind::Text
    })
}

/// The containers of WebP and WAV.
fn riff(head: &[u8]) -> Option<Kind> {
    match (head.get(..4)?, head.get(8..12)?) {
        (b"RIFF", b"WEBP") => Some(Kind::Image("image/webp", "WebP")),
        (b"RIFF", b"WAVE") => Some(Kind::Audio("audio/wav", "WAV")),
        _ => None,
    }
}

/// The containers of MPEG-4 (ISO 14496-12): the first box names what it is.
fn boxes(head: &[u8]) -> Option<Kind> {
    if head.get(4..8)? != b"ftyp" {
        return None;
    }
    Some(match head.get(8..12)? {
        b"avif" | b"avis" => Kind::Image("image/avif", "AVIF"),
        b"M4A " | b"M4B " => Kind::Audio("audio/mp4", "M4A"),
        b"heic" | b"heix" | b"mif1" => return None,
        _ => Kind::Video("video/mp4", "MP4"),
    })
}

/// Text is what holds no controls but white space, in UTF-8 that may be cut at its end, or in marked UTF-16.
fn is_text(head: &[u8]) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let is_control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if head.iter().any(is_control) {
        return false;
    }
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(bad) => bad.error_len().is_none() && head.len() - bad.valid_up_to() < 4,
    }
}

fn is_drawing(head: &[u8], name: &str) -> bool {
    let start = String::from_utf8_lossy(&head[..head.len().min(1024)]);
    name.to_ascii_lowercase().ends_with(".svg") && start.contains("<svg")
}

/// Bytes of a text as characters.
pub(super) fn decode(bytes: &[u8]) -> String {
    let wide = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| order([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn the_first_bytes_decide() {
        assert_eq!(
            sniff(b"\x89PNG\r\n\x1a\n....", "x.html").map(Kind::mime),
            Some("image/png")
        );
        assert_eq!(sniff(b"GIF89a/*<script>*/", "x.js").map(Kind::mime), Some("image/gif"));
        assert_eq!(sniff(b"%PDF-1.7", "x").map(Kind::mime), Some("application/pdf"));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 ", "x").map(Kind::mime), Some("image/webp"));
        assert_eq!(sniff(b"\0\0\0\x20ftypisom", "x").map(Kind::mime), Some("video/mp4"));
        assert_eq!(sniff(b"\x7fELF\x02\x01\x01\0", "x.txt"), None);
    }

    #[wasm_bindgen_test]
    fn markup_is_text_and_a_drawing_is_an_image_only_by_name_and_content() {
        assert_eq!(
            sniff(b"<!doctype html><script>alert(1)</script>", "x.html"),
            Some(Kind::Text)
        );
        assert_eq!(sniff(b"<svg onload=alert(1)>", "x.html"), Some(Kind::Text));
        assert_eq!(
            sniff(b"<svg xmlns='...'>", "x.svg").map(Kind::mime),
            Some("image/svg+xml")
        );
        assert_eq!(sniff(b"BMW is a car", "x.txt"), Some(Kind::Text));
    }

    #[wasm_bindgen_test]
    fn a_text_may_be_cut_in_the_middle_of_a_letter() {
        let text = "长".as_bytes();
        assert_eq!(sniff(&text[..2], "x"), Some(Kind::Text));
        assert_eq!(sniff(b"\xff\xfea\0b\0", "x"), Some(Kind::Text));
        assert_eq!(decode(b"\xff\xfea\0b\0"), "ab");
    }
}
