#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn decompress(frame: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut plaintext = vec![1, 2, 3];
    Decompressor::new()
        .unwrap()
        .decompress(frame, &mut plaintext)
        .map(|()| plaintext)
}

#[test]
fn frames_come_back_and_the_same_bytes_give_the_same_frame() {
    let mut compressor = Compressor::new().unwrap();
    let text = b"lifeboat ".repeat(10_000);
    for plaintext in [b"".as_slice(), b"x", &text] {
        let frame = compressor.compress(plaintext).unwrap();
        assert_eq!(compressor.compress(plaintext).unwrap(), frame);
        assert_eq!(decompress(&frame).unwrap(), plaintext);
    }
}

#[test]
fn a_bomb_is_refused_by_its_claim() {
    let zeros = vec![0_u8; MAX_PLAINTEXT + 1];
    let bomb = bulk::compress(&zeros, 1).unwrap();
    assert!(bomb.len() < 100_000);
    assert_eq!(
        decompress(&bomb),
        Err(CompressionError::TooLarge {
            bytes: zeros.len() as u64
        })
    );
    assert!(matches!(
        Compressor::new().unwrap().compress(&zeros),
        Err(CompressionError::TooLarge { .. })
    ));
}

#[test]
fn anything_but_one_sized_frame_is_refused() {
    let frame = Compressor::new().unwrap().compress(b"one batch").unwrap();
    assert_eq!(
        decompress(&[frame.clone(), frame.clone()].concat()),
        Err(CompressionError::NotOneFrame)
    );
    assert_eq!(
        decompress(&[frame.as_slice(), b"x"].concat()),
        Err(CompressionError::NotOneFrame)
    );
    assert_eq!(decompress(b""), Err(CompressionError::NotOneFrame));
    for cut in 0..frame.len() {
        assert!(decompress(&frame[..cut]).is_err());
    }
    let mut unsized_frame = bulk::Compressor::new(1).unwrap();
    unsized_frame
        .set_parameter(zstd_safe::CParameter::ContentSizeFlag(false))
        .unwrap();
    let unsized_frame = unsized_frame.compress(&b"no size ".repeat(1_000)).unwrap();
    assert_eq!(decompress(&unsized_frame), Err(CompressionError::NotOneFrame));
}
