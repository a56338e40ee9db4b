//! Reads what a bundle's signature is about, and has it verified.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use remint_attest::{BundleDigest, verify_bundle};
use remint_model::{Artifact, BundleSignature, DetachedSignature, Published, SignatureBlock};
use sha2::Digest;

/// Who signed a bundle.
///
/// # Errors
/// The file cannot be read.
pub(super) async fn verify(
    artifact: &Artifact<Published>,
    block: &SignatureBlock,
) -> anyhow::Result<BundleSignature> {
    let signature = match block {
        SignatureBlock::Absent => return Ok(BundleSignature::Absent),
        SignatureBlock::Malformed(why) => return Ok(BundleSignature::Malformed(why.clone())),
        SignatureBlock::Present(signature) => signature.clone(),
    };
    let path = artifact.path.clone();
    let verified = tokio::task::spawn_blocking(move || {
        let mut file = fs_err::File::open(path)?;
        verify_bundle(&signature.pkcs7, |kind| match kind {
            BundleDigest::Sha256 => digests::<sha2::Sha256>(&mut file, &signature),
            BundleDigest::Sha384 => digests::<sha2::Sha384>(&mut file, &signature),
            BundleDigest::Sha512 => digests::<sha2::Sha512>(&mut file, &signature),
        })
    });
    Ok(verified.await??)
}

/// The digest of the zip as it stands and, where its comment length counts the signature in, of the zip as it was
/// before that was written into it.
fn digests<D: Digest + Clone>(
    file: &mut fs_err::File,
    signature: &DetachedSignature,
) -> io::Result<Vec<Vec<u8>>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = io::BufReader::new(file).take(signature.signed);
    let Some(counted_at) = signature.counted_at else {
        let digest = rest(&mut reader, [D::new()])?;
        return Ok(digest.map(|digest| digest.finalize().to_vec()).to_vec());
    };
    let [start] = rest(&mut (&mut reader).take(counted_at), [D::new()])?;
    let mut comment = [0; 2];
    reader.read_exact(&mut comment)?;
    let without = u64::from(u16::from_le_bytes(comment)).saturating_sub(signature.length);
    let without = u16::try_from(without).unwrap_or_default().to_le_bytes();
    let both = [comment, without].map(|field| start.clone().chain_update(field));
    let digests = rest(&mut reader, both)?;
    Ok(digests.map(|digest| digest.finalize().to_vec()).to_vec())
}

/// Adds all that is left to each of the digests.
fn rest<D: Digest, const N: usize>(
    reader: &mut impl io::Read,
    mut digests: [D; N],
) -> io::Result<[D; N]> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = reader.read(&mut buffer)?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return Ok(digests);
        }
        for digest in &mut digests {
            digest.update(piece);
        }
    }
}
