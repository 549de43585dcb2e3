//! A PNG of a sunset, so that the demo has pictures that a viewer opens.
//!
//! Format: PNG (ISO/IEC 15948), zlib (RFC 1950) with stored blocks of deflate (RFC 1951).

/// A picture of `width` x `height` pixels; `hour` from 0 to 1 lets the sun sink.
pub(crate) fn png(width: u32, height: u32, hour: f32) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..height {
        // Filter 0: the bytes are the pixels.
        rows.push(0);
        for x in 0..width {
            let from_middle = (x as f32 - width as f32 / 2.0) / height as f32;
            rows.extend(colour(from_middle, y as f32 / height as f32, hour));
        }
    }
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // 8 bits, RGB, and the only methods of compression, filter and no interlace.
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    file.extend(part(b"IHDR", &header));
    file.extend(part(b"IDAT", &zlib(&rows)));
    file.extend(part(b"IEND", &[]));
    file
}

/// The sky above, the sea below, and the sun between them; `x` from the middle, `y` from the top, in heights.
fn colour(x: f32, y: f32, hour: f32) -> [u8; 3] {
    let sun = x.powi(2) + (y - 0.3 - 0.4 * hour).powi(2);
    if y < 0.7 && sun < 0.01 {
        return [255, 226, 120];
    }
    let glow = (1.0 - 4.0 * sun).clamp(0.0, 1.0) * (1.0 - 0.5 * hour);
    let (base, light) = if y < 0.7 {
        ([60.0, 70.0, 130.0], 1.0)
    } else {
        ([15.0, 40.0, 80.0], 0.4)
    };
    let warm = [180.0, 80.0, 10.0].map(|part| part * glow * light);
    std::array::from_fn(|part| (base[part] + warm[part]) as u8)
}

/// A part of a PNG: length, kind, content and checksum.
fn part(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [kind, content].concat();
    let length = (content.len() as u32).to_be_bytes();
    [&length[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
}

/// A zlib stream that stores the bytes as they are.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let blocks = bytes.chunks(usize::from(u16::MAX));
    let last = blocks.len().saturating_sub(1);
    for (number, block) in blocks.enumerate() {
        let length = block.len() as u16;
        stream.push(u8::from(number == last));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

/// The checksum of RFC 1950, section 8.
fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (a + b) % 65521)
    });
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn a_picture_begins_and_ends_as_a_png_does() {
        let file = png(400, 100, 0.5);
        assert!(file.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x01\x90\0\0\0\x64"));
        assert!(file.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
