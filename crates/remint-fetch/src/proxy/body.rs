//! Bodies of answers: bytes in memory, or a part of a file in the cache.

use std::io::SeekFrom;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead as _, AsyncSeekExt as _, ReadBuf};

/// What an answer carries.
pub(super) enum AnswerBody {
    /// All of it; `None` once it was sent.
    Bytes(Option<Bytes>),
    /// So many bytes from where the file stands.
    File {
        /// The open file.
        file: File,
        /// How many bytes are still to be sent.
        left: u64,
    },
}

impl AnswerBody {
    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(Some(bytes.into()))
    }

    /// `length` bytes of a file from `start`.
    pub(super) async fn part(
        path: &std::path::Path,
        start: u64,
        length: u64,
    ) -> std::io::Result<Self> {
        let mut file = File::open(path).await?;
        if start > 0 {
            file.seek(SeekFrom::Start(start)).await?;
        }
        Ok(Self::File { file, left: length })
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match self.get_mut() {
            Self::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::File { left: 0, .. } => Poll::Ready(None),
            Self::File { file, left } => {
                let size = usize::try_from(*left).unwrap_or(usize::MAX).min(128 << 10);
                let mut buffer = vec![0; size];
                let mut reading = ReadBuf::new(&mut buffer);
                ready!(Pin::new(file).poll_read(context, &mut reading))?;
                let count = reading.filled().len();
                if count == 0 {
                    let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Some(Err(error)));
                }
                buffer.truncate(count);
                *left = left.saturating_sub(count as u64);
                Poll::Ready(Some(Ok(Frame::data(buffer.into()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::File { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File { left, .. } => *left,
        })
    }
}

/// The part of a file that a `Range` header asks for (RFC 9110, section 14): first byte and length. `None` is the
/// whole file; several ranges at once are answered so too.
pub(super) fn part_of(
    header: Option<&str>,
    size: u64,
) -> Result<Option<(u64, u64)>, Unsatisfiable> {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Ok(None);
    };
    let Some((first, last)) = spec.split_once('-') else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last) = match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            Some(0) => return Err(Unsatisfiable),
            Some(suffix) => (size.saturating_sub(suffix), size.saturating_sub(1)),
            None => return Ok(None),
        },
        (first, "") => match number(first) {
            Some(first) => (first, size.saturating_sub(1)),
            None => return Ok(None),
        },
        (first, last) => match (number(first), number(last)) {
            (Some(first), Some(last)) => (first, last.min(size.saturating_sub(1))),
            _ => return Ok(None),
        },
    };
    if first >= size || last < first {
        return Err(Unsatisfiable);
    }
    Ok(Some((first, last.saturating_sub(first).saturating_add(1))))
}

/// The file has no such part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsatisfiable;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (header, size, expect) in [
            (None, 10, Ok(None)),
            (Some("bytes=0-3"), 10, Ok(Some((0, 4)))),
            (Some("bytes=4-"), 10, Ok(Some((4, 6)))),
            (Some("bytes=-3"), 10, Ok(Some((7, 3)))),
            (Some("bytes=-30"), 10, Ok(Some((0, 10)))),
            (Some("bytes=8-30"), 10, Ok(Some((8, 2)))),
            (Some("bytes=10-"), 10, Err(Unsatisfiable)),
            (Some("bytes=5-4"), 10, Err(Unsatisfiable)),
            (Some("bytes=-0"), 10, Err(Unsatisfiable)),
            (Some("bytes=0-"), 0, Err(Unsatisfiable)),
            (Some("bytes=0-1,4-5"), 10, Ok(None)),
            (Some("bytes=x-y"), 10, Ok(None)),
            (Some("lines=1-2"), 10, Ok(None)),
        ] {
            assert_eq!(part_of(header, size), expect, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn no_range_leaves_the_file(
            any: String,
            shaped in "bytes=[0-9]{0,21} ?-[0-9]{0,21}",
            size in prop_oneof![0..30_u64, any::<u64>()],
        ) {
            for header in [any, shaped] {
                if let Ok(Some((first, length))) = part_of(Some(&header), size) {
                    prop_assert!(length > 0);
                    prop_assert!(first.checked_add(length).is_some_and(|end| end <= size), "{}", header);
                }
            }
        }
    }
}
