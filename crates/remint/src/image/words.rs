//! What is told of an image beside its findings.

use remint_model::{
    BaseImage, FileOrigin, Image, ImagePlace, ImageSource, Judgement, NamedBy, Outcome,
};

use crate::pipeline::Request;
use crate::report::{count_words, quoted, size_words};

/// What to do with an image that failed.
pub(super) const HANDS_OFF: &str = "Do not run this image before somebody has looked at it.";
/// What a server calls itself in the MCP registry.
const SERVER_NAME: &str = "io.modelcontextprotocol.server.name";
/// Words of a command that are shown.
const SHOWN: usize = 12;
/// Characters of a command that are shown.
const LONGEST: usize = 400;

/// A line may be as long as its author likes; the report in JSON has all of it.
fn shortened(line: &str) -> String {
    let mut shown: String = line.chars().take(LONGEST).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

/// Which image, how it runs, what it was made from, and where its files come from.
pub(super) fn notes(image: &Image) -> Vec<String> {
    let config = &image.config;
    let mut notes = vec![format!(
        "{} for {}{}",
        match image.index {
            Some(index) => format!("sha256:{} of the index sha256:{index}", image.manifest),
            None => format!("sha256:{}", image.manifest),
        },
        image.platform,
        match image.other_platforms.len() {
            0 => String::new(),
            n => format!("; {} not looked at", count_words(n, "other platform")),
        }
    )];
    let command: Vec<&str> = config
        .entrypoint
        .iter()
        .chain(&config.command)
        .take(SHOWN)
        .map(String::as_str)
        .collect();
    notes.push(match command.as_slice() {
        [] => "it does not say what runs".to_owned(),
        command => format!(
            "runs `{}` as {}",
            shortened(&command.join(" ")),
            config.user.as_deref().unwrap_or("root")
        ),
    });
    if !config.healthcheck.is_empty() {
        notes.push(format!(
            "runs `{}` from time to time to see whether it is well",
            shortened(&config.healthcheck.join(" "))
        ));
    }
    if let Some(name) = config.labels.get(SERVER_NAME) {
        notes.push(format!("calls itself the MCP server `{name}`"));
    }
    notes.push(base(&image.base));
    notes.push(source(&image.source));
    let (mut parts, mut all) = (Vec::new(), 0);
    for origin in FileOrigin::ALL.iter().copied() {
        let (count, bytes) = image.count(origin);
        all += count;
        if count > 0 {
            let words = origin_words(origin);
            parts.push(format!("{count} {words} ({})", size_words(bytes)));
        }
    }
    let packages = match image.packages.len() {
        0 => String::new(),
        n => format!(", of {}", count_words(n, "package")),
    };
    notes.push(format!(
        "{} in {}{packages}: {}",
        count_words(all, "file"),
        count_words(image.layers.len(), "layer"),
        if parts.is_empty() {
            "none".to_owned()
        } else {
            parts.join(", ")
        }
    ));
    notes
}

const fn origin_words(origin: FileOrigin) -> &'static str {
    match origin {
        FileOrigin::Base => "of the base image",
        FileOrigin::Package => "of registry packages",
        FileOrigin::Source => "of the source",
        FileOrigin::Record => "notes of package managers",
        FileOrigin::Link => "links",
        FileOrigin::PackageDiffers => "not as the registry has them",
        FileOrigin::Unknown => "that could not be looked up",
        FileOrigin::Unattributed => "that nothing accounts for",
    }
}

/// The base image in one line.
pub(super) fn base(base: &BaseImage) -> String {
    let by = |named_by: &NamedBy| match named_by {
        NamedBy::Label | NamedBy::LabelOfKnownMaker => "its labels name",
        NamedBy::User => "you name",
    };
    match base {
        BaseImage::Unnamed => {
            "which image it was made from is not known: no label names one with a digest".to_owned()
        }
        BaseImage::Found {
            reference,
            layers,
            named_by,
            ..
        } => format!(
            "made from `{reference}`, which {} as its base: the first {}{}",
            by(named_by),
            count_words(*layers, "layer"),
            match named_by {
                NamedBy::Label =>
                    "; nobody else vouches for that image, which may be of whoever made this one",
                NamedBy::LabelOfKnownMaker | NamedBy::User => "",
            }
        ),
        BaseImage::Whole { reference, .. } => format!(
            "`{reference}`, which its labels name as its base, has all of its layers: nothing would be its own, so that this counts as no base"
        ),
        BaseImage::Other {
            reference,
            detail,
            named_by,
        } => format!(
            "`{reference}`, which {} as its base, is not what it was made from: {detail}",
            by(named_by)
        ),
        BaseImage::Unread {
            reference,
            detail,
            named_by,
        } => format!(
            "`{reference}`, which {} as its base, could not be read: {detail}",
            by(named_by)
        ),
    }
}

/// The source in one line.
pub(super) fn source(source: &ImageSource) -> String {
    match source {
        ImageSource::Unnamed { detail } => format!("its source is not known: {detail}"),
        ImageSource::Unread { repository, detail } => {
            format!("its source, `{repository}`, could not be had: {detail}")
        }
        ImageSource::Found {
            repository, commit, ..
        } => format!(
            "its source is said to be `{repository}` at {}",
            commit.short()
        ),
    }
}

/// What to do where an image that others name is in no public place.
pub(super) fn in_your_name(asked: &ImagePlace) -> String {
    format!(
        "If you trust its registry, name the image yourself:  remint verify-build {}",
        quoted(&asked.to_string())
    )
}

/// What no look into an image tells.
pub(super) fn limits() -> Vec<String> {
    vec![
        "whether the image is what its source builds".to_owned(),
        "whether its base image is harmless".to_owned(),
    ]
}

/// What to do next.
pub(super) fn next(
    asked: &ImagePlace,
    image: &Image,
    judgement: &Judgement,
    request: &Request,
) -> Vec<String> {
    let mut next = Vec::new();
    if judgement.outcome == Outcome::Failed {
        next.push(HANDS_OFF.to_owned());
    }
    let spec = quoted(&asked.to_string());
    let command = |more: &str| format!("remint verify-build {spec}{more}");
    if !image.base.is_found() && request.image.base.is_none() {
        next.push(format!(
            "If you know its base image:  {}",
            command(" --base IMAGE@sha256:…")
        ));
    }
    if let Some(reference) = image.base.unvouched() {
        next.push(format!(
            "If you trust its base image:  {}",
            command(&format!(" --base {}", quoted(reference)))
        ));
    }
    if matches!(image.source, ImageSource::Unnamed { .. }) {
        next.push(format!(
            "If you know its source:  {}",
            command(" --source URL --ref COMMIT")
        ));
    }
    if let Some(package) = image.packages.first() {
        next.push(format!(
            "The packages inside can be verified by themselves, such as  remint verify-build {}:{}@{}",
            package.ecosystem, package.name, package.version
        ));
    }
    next
}
