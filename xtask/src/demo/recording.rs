//! A sound recording of some megabytes: the demo's large file, which one can play.

/// Samples a second, of one channel with 16 bits each.
const RATE: u32 = 44_100;

/// A WAV file of about `size` bytes: a chord under a hiss that no compression removes.
pub(crate) fn wav(size: u32) -> Vec<u8> {
    let data = size & !1;
    let mut file = header(data);
    file.reserve(data as usize);
    let mut noise = 0x2545_f491_u32;
    for number in 0..data / 2 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = f32::from((noise >> 16) as u16) / 65_536.0 - 0.5;
        let sample = 0.2 * chord(number as f32 / RATE as f32) + 0.05 * hiss;
        file.extend(((sample * 32_767.0) as i16).to_le_bytes());
    }
    file
}

/// A major, slowly swelling.
fn chord(second: f32) -> f32 {
    let tone = |hertz: f32| (second * hertz * std::f32::consts::TAU).sin();
    let swell = 0.6 + 0.4 * (second * 0.8).sin();
    swell * (tone(220.0) + tone(277.18) + tone(329.63)) / 3.0
}

/// The 44 bytes before the samples: RIFF, uncompressed PCM.
fn header(data: u32) -> Vec<u8> {
    let mut header = b"RIFF".to_vec();
    header.extend((36 + data).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    header.extend(RATE.to_le_bytes());
    header.extend((RATE * 2).to_le_bytes());
    header.extend(b"\x02\0\x10\0data");
    header.extend(data.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_tells_the_lengths() {
        let file = wav(1001);
        assert_eq!(file.len(), 44 + 1000);
        assert_eq!(file[4..8], (file.len() as u32 - 8).to_le_bytes());
        assert_eq!(file[40..44], 1000_u32.to_le_bytes());
    }
}
