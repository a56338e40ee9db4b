//! How a repository URL is reached: the user's rewrites first, then only public addresses; and what it advertises.

use std::net::IpAddr;

use git2::Oid;
use remint_model::RepositoryUrl;

use super::command::Protocols;
use super::settings::{GitSettings, protocols_of};
use crate::address::{Unfit, Will, public_addresses};

/// Hosts that redirect a moved repository to its new place, always on the same host.
const REDIRECTING_HOSTS: &[&str] = &["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// Most refs that are read.
const MOST_REFS: usize = 400_000;

/// Why a URL is not contacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// It is not allowed.
    Refused(String),
    /// It does not resolve.
    Unresolved(String),
}

/// A URL that may be handed to git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// As people name it.
    pub(crate) canonical: String,
    /// As it is contacted.
    pub(super) effective: String,
    pub(super) protocols: Protocols,
    will: Will,
    /// Settings for this remote alone.
    pub(super) settings: Vec<(String, String)>,
}

impl Remote {
    /// Whether nobody on the way can read or change what is said, or the user wants it like this.
    pub(super) fn is_private_or_chosen(&self) -> bool {
        self.protocols == Protocols::Https || self.will == Will::User
    }
}

/// The ways to reach a repository, best first.
pub(crate) fn remotes_for(
    settings: &GitSettings,
    url: &RepositoryUrl,
    will: Will,
) -> Result<Vec<Remote>, Unreachable> {
    let forms = forms_of(url);
    let canonical = forms
        .first()
        .cloned()
        .unwrap_or_else(|| url.as_str().to_owned());
    let mut remotes = Vec::new();
    for form in &forms {
        let rewritten = spellings_of(form)
            .iter()
            .find_map(|spelling| settings.rewrite(spelling));
        if let Some(effective) = rewritten {
            remotes.push(chosen_by_user(&canonical, effective)?);
            break;
        }
    }
    // Ssh without keys reaches few hosts; where the user rewrites https to ssh for pushing, https still works.
    if remotes
        .first()
        .is_some_and(|remote| remote.protocols != Protocols::Ssh)
    {
        return Ok(remotes);
    }
    let mut refusal = None;
    for form in &forms {
        match public(settings, &canonical, form, will) {
            Ok(remote) => {
                // Forges that answer to `.git` alone redirect the plain URL, which is not followed there.
                let redirected = remote
                    .settings
                    .contains(&("http.followRedirects".to_owned(), "false".to_owned()))
                    .then(|| Remote {
                        effective: format!("{}.git", remote.effective),
                        ..remote.clone()
                    });
                remotes.push(remote);
                remotes.extend(redirected);
            }
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    match (remotes.is_empty(), refusal) {
        (true, Some(refusal)) => Err(refusal),
        _ => Ok(remotes),
    }
}

/// A URL or directory that the user chose himself; only the protocol is checked.
pub(crate) fn chosen_by_user(canonical: &str, effective: String) -> Result<Remote, Unreachable> {
    let Some(protocols) = protocols_of(&effective) else {
        return Err(Unreachable::Refused(format!(
            "`{effective}` uses a protocol that is not allowed (allowed: https, http, ssh, git, file)"
        )));
    };
    // A plain path would make git copy whole repositories instead of speaking its protocol.
    let effective = if protocols == Protocols::File && !effective.starts_with("file:") {
        format!("file://{effective}")
    } else {
        effective
    };
    Ok(Remote {
        canonical: canonical.to_owned(),
        effective,
        protocols,
        will: Will::User,
        settings: vec![("http.followRedirects".to_owned(), "initial".to_owned())],
    })
}

fn public(
    settings: &GitSettings,
    canonical: &str,
    form: &str,
    will: Will,
) -> Result<Remote, Unreachable> {
    let protocols = protocols_of(form)
        .filter(|protocols| *protocols != Protocols::File)
        .ok_or_else(|| Unreachable::Refused(format!("`{form}` is no https, ssh or git URL")))?;
    let (host, port) = host_and_port(form, protocols);
    let mut extra = Vec::new();
    let redirects = if will == Will::User || REDIRECTING_HOSTS.contains(&host.as_str()) {
        "initial"
    } else {
        // A stranger's host could lead anywhere from here.
        "false"
    };
    extra.push(("http.followRedirects".to_owned(), redirects.to_owned()));
    if will == Will::Metadata && !settings.offline {
        let through_proxy = protocols == Protocols::Https && settings.has_https_proxy();
        match public_addresses(&host, port) {
            Ok(addresses) if protocols == Protocols::Https && !through_proxy => {
                // What was checked is what is connected to: the name is not resolved again.
                let list: Vec<String> = addresses
                    .iter()
                    .map(|address| match address {
                        IpAddr::V4(address) => address.to_string(),
                        IpAddr::V6(address) => format!("[{address}]"),
                    })
                    .collect();
                extra.push((
                    "http.curloptResolve".to_owned(),
                    format!("{host}:{port}:{}", list.join(",")),
                ));
            }
            Ok(_) => {}
            Err(Unfit::Private(address)) => {
                return Err(Unreachable::Refused(format!(
                    "`{host}` is {address}, which is no public address"
                )));
            }
            // Behind a proxy names need not resolve here.
            Err(Unfit::Unresolved(_)) if through_proxy => {}
            Err(Unfit::Unresolved(reason)) => {
                return Err(Unreachable::Unresolved(format!(
                    "`{host}` does not resolve: {reason}"
                )));
            }
        }
    }
    Ok(Remote {
        canonical: canonical.to_owned(),
        effective: form.to_owned(),
        protocols,
        will,
        settings: extra,
    })
}

/// The URL itself, preceded by its https form on hosts that offer both.
fn forms_of(url: &RepositoryUrl) -> Vec<String> {
    let text = url.as_str().to_owned();
    let known = REDIRECTING_HOSTS.contains(&url.host());
    match text.split_once("://") {
        Some((scheme, rest)) if known && scheme != "https" => {
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            vec![format!("https://{}/{path}", url.host()), text]
        }
        _ => vec![text],
    }
}

/// The spellings under which a user may have configured a rewrite of this URL.
fn spellings_of(form: &str) -> Vec<String> {
    let mut spellings = vec![form.to_owned(), format!("{form}.git")];
    if let Some(rest) = form.strip_prefix("ssh://")
        && let Some((authority, path)) = rest.split_once('/')
    {
        spellings.push(format!("{authority}:{path}"));
        spellings.push(format!("{authority}:{path}.git"));
    }
    spellings
}

fn host_and_port(url: &str, protocols: Protocols) -> (String, u16) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let default = match protocols {
        Protocols::Ssh => 22,
        Protocols::Git => 9418,
        Protocols::Http => 80,
        Protocols::Https | Protocols::File => 443,
    };
    if let Some(end) = authority.rfind(']') {
        let host = authority.get(..=end).unwrap_or(authority);
        let port = authority
            .get(end + 1..)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|port| port.parse().ok());
        return (host.to_owned(), port.unwrap_or(default));
    }
    match authority.split_once(':') {
        Some((host, port)) => (host.to_owned(), port.parse().unwrap_or(default)),
        None => (authority.to_owned(), default),
    }
}

/// The branches and tags of a repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Advertised {
    pub(crate) branches: Vec<AdvertisedRef>,
    pub(crate) tags: Vec<AdvertisedRef>,
    /// What is checked out in a directory of the user's.
    pub(crate) head: Option<Oid>,
    /// The ref that `HEAD` names, where the listing tells.
    pub(crate) head_names: Option<String>,
}

/// One branch or tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdvertisedRef {
    /// Without `refs/heads/`, `refs/remotes/` or `refs/tags/`.
    pub(crate) name: String,
    /// Whether it lies in `refs/remotes/`, where a clone keeps the branches of its origin: a branch can have any name,
    /// also one that begins with `origin/`.
    pub(crate) is_of_remote: bool,
    /// What it points to: for an annotated tag the tag object.
    pub(crate) direct: Oid,
    /// The commit (or whatever was tagged).
    pub(crate) peeled: Oid,
}

/// Why a listing of refs cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListingFault {
    /// Ids of 64 digits.
    Sha256,
    /// Not a listing at all.
    Malformed,
    /// More refs than are read.
    TooMany,
}

impl Advertised {
    /// Reads the output of `git ls-remote` or of `git for-each-ref` in the same form.
    pub(crate) fn parse(listing: &[u8]) -> Result<Self, ListingFault> {
        let mut advertised = Self::default();
        for line in listing.split(|byte| *byte == b'\n') {
            // A ref whose name is not UTF-8 cannot name a version.
            let Ok(line) = std::str::from_utf8(line) else {
                continue;
            };
            if line.is_empty() {
                continue;
            }
            let (id, name) = line.split_once('\t').ok_or(ListingFault::Malformed)?;
            if let Some(target) = id.strip_prefix("ref: ") {
                if name == "HEAD" {
                    advertised.head_names = Some(target.to_owned());
                }
                continue;
            }
            match id.len() {
                40 => {}
                64 => return Err(ListingFault::Sha256),
                _ => return Err(ListingFault::Malformed),
            }
            let id = Oid::from_str(id).map_err(|_| ListingFault::Malformed)?;
            if name == "HEAD" {
                advertised.head = Some(id);
                continue;
            }
            let (list, name, is_of_remote) = if let Some(name) = name.strip_prefix("refs/tags/") {
                (&mut advertised.tags, name, false)
            } else if let Some(name) = name.strip_prefix(HEADS) {
                (&mut advertised.branches, name, false)
            } else if let Some(name) = name.strip_prefix(REMOTES) {
                (&mut advertised.branches, name, true)
            } else {
                continue;
            };
            if let Some(name) = name.strip_suffix("^{}") {
                // The peeled line follows its tag.
                if let Some(last) = list.last_mut().filter(|last| last.name == name) {
                    last.peeled = id;
                }
                continue;
            }
            if list.len() >= MOST_REFS {
                return Err(ListingFault::TooMany);
            }
            list.push(AdvertisedRef {
                name: name.to_owned(),
                is_of_remote,
                direct: id,
                peeled: id,
            });
        }
        Ok(advertised)
    }

    /// Reads a listing of the heads of merge requests; what is malformed is left out, since nothing depends on it.
    pub(crate) fn proposals(listing: &[u8]) -> Vec<AdvertisedRef> {
        String::from_utf8_lossy(listing)
            .lines()
            .filter_map(|line| {
                let (id, name) = line.split_once('\t')?;
                let id = Oid::from_str(id).ok()?;
                Some(AdvertisedRef {
                    name: name.strip_prefix("refs/")?.to_owned(),
                    is_of_remote: false,
                    direct: id,
                    peeled: id,
                })
            })
            .take(MOST_REFS)
            .collect()
    }

    /// The branches whose history counts as the project's own: the default branch, and in a clone of the user's also
    /// its counterpart at the origin.
    ///
    /// That is the branch which `HEAD` names; where it names none, `main` or `master` if just one of them exists,
    /// else the only branch. Of several others none counts, since anyone who can push adds to them.
    pub(crate) fn default_branches(
        &self,
        head_names: Option<&str>,
        is_clone: bool,
    ) -> Vec<AdvertisedRef> {
        let known = |name: &str| -> Vec<AdvertisedRef> {
            self.branches
                .iter()
                .filter(|branch| {
                    if branch.is_of_remote {
                        is_clone && branch.name.strip_prefix("origin/") == Some(name)
                    } else {
                        branch.name == name
                    }
                })
                .cloned()
                .collect()
        };
        let named = head_names.and_then(|reference| {
            let of_origin = reference
                .strip_prefix(REMOTES)
                .filter(|_| is_clone)
                .and_then(|name| name.strip_prefix("origin/"));
            reference.strip_prefix(HEADS).or(of_origin)
        });
        if let Some(named) = named.map(known).filter(|it| !it.is_empty()) {
            return named;
        }
        match (known("main"), known("master")) {
            (main, master) if master.is_empty() && !main.is_empty() => main,
            (main, master) if main.is_empty() && !master.is_empty() => master,
            (main, _) if main.is_empty() && self.branches.len() == 1 => self.branches.clone(),
            _ => Vec::new(),
        }
    }

    /// The branch that is most likely checked out by default.
    pub(crate) fn main_branch(&self) -> Option<&AdvertisedRef> {
        ["main", "master", "trunk", "develop", "dev"]
            .iter()
            .find_map(|name| self.branches.iter().find(|branch| branch.name == *name))
            .or_else(|| self.branches.first())
    }
}

/// Where branches lie.
const HEADS: &str = "refs/heads/";
/// Where a clone keeps the branches of others.
const REMOTES: &str = "refs/remotes/";

/// What holds for any listing, whoever made it.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_listing(listing: &[u8]) {
    if let Ok(advertised) = Advertised::parse(listing) {
        for found in advertised.branches.iter().chain(&advertised.tags) {
            assert!(!found.name.ends_with("^{}") && !found.name.contains('\n'));
        }
        let _main = advertised.main_branch();
    }
    let _proposals = Advertised::proposals(listing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_listing_yields_branches_and_peeled_tags() {
        let one = "1".repeat(40);
        let two = "2".repeat(40);
        let listing = format!(
            "ref: refs/heads/main\tHEAD\n{one}\tHEAD\n{one}\trefs/heads/feature/x\n{one}\trefs/heads/main\n{one}\trefs/tags/v1\n\
             {two}\trefs/tags/v1^{{}}\n{two}\trefs/pull/1/head\n"
        );
        let advertised = Advertised::parse(listing.as_bytes()).unwrap();
        assert_eq!(advertised.branches.len(), 2);
        assert_eq!(advertised.main_branch().unwrap().name, "main");
        assert_eq!(advertised.head_names.as_deref(), Some("refs/heads/main"));
        assert_eq!(advertised.tags.len(), 1);
        assert_eq!(advertised.tags[0].direct.to_string(), one);
        assert_eq!(advertised.tags[0].peeled.to_string(), two);
    }

    #[test]
    fn a_branch_is_the_default_by_where_it_lies_and_not_by_how_it_is_called() {
        let check = |refs: &[&str], head: Option<&str>, is_clone: bool, expect: &[&str]| {
            let id = "1".repeat(40);
            let listing: String = refs.iter().map(|name| format!("{id}\t{name}\n")).collect();
            let advertised = Advertised::parse(listing.as_bytes()).unwrap();
            let found: Vec<_> = advertised
                .default_branches(head, is_clone)
                .iter()
                .map(|branch| (branch.name.clone(), branch.is_of_remote))
                .collect();
            let expect: Vec<_> = expect
                .iter()
                .map(|name| match name.strip_prefix("remotes/") {
                    Some(name) => (name.to_owned(), true),
                    None => ((*name).to_owned(), false),
                })
                .collect();
            assert_eq!(found, expect, "{refs:?} {head:?} {is_clone}");
        };
        let bare = ["refs/heads/main", "refs/heads/origin/main"];
        for is_clone in [true, false] {
            check(&bare, Some("refs/heads/main"), is_clone, &["main"]);
            check(&bare, None, is_clone, &["main"]);
        }
        let clone = [
            "refs/heads/main",
            "refs/heads/origin/main",
            "refs/remotes/origin/main",
            "refs/remotes/other/main",
            "refs/remotes/origin/origin/main",
        ];
        let both = ["main", "remotes/origin/main"];
        check(&clone, Some("refs/remotes/origin/main"), true, &both);
        check(&clone, Some("refs/heads/main"), true, &both);
        check(&clone, None, true, &both);
        // Refs of these names at a host are nobody's default.
        check(&clone, Some("refs/heads/main"), false, &["main"]);
        check(
            &clone,
            Some("refs/heads/origin/main"),
            true,
            &["origin/main", "remotes/origin/origin/main"],
        );
    }

    #[test]
    fn other_listings_are_refused_by_kind() {
        let long = format!("{}\trefs/heads/main\n", "a".repeat(64));
        let fault = |text: &str| Advertised::parse(text.as_bytes()).err();
        assert_eq!(fault(&long), Some(ListingFault::Sha256));
        assert_eq!(fault("<html>\n"), Some(ListingFault::Malformed));
        assert_eq!(fault("zz\trefs/heads/x\n"), Some(ListingFault::Malformed));
    }

    #[test]
    fn private_hosts_of_metadata_are_refused_and_the_user_may_rewrite_them() {
        let url: RepositoryUrl = "https://127.0.0.1:8443/owner/name".parse().unwrap();
        let settings = GitSettings::default();
        assert!(matches!(
            remotes_for(&settings, &url, Will::Metadata),
            Err(Unreachable::Refused(reason)) if reason.contains("no public address")
        ));
        let own = remotes_for(&settings, &url, Will::User).unwrap();
        assert_eq!(own[0].effective, "https://127.0.0.1:8443/owner/name");
        let rewriting = GitSettings::with_rewrite("https://127.0.0.1:8443/", "file:///srv/git/");
        let rewritten = remotes_for(&rewriting, &url, Will::Metadata).unwrap();
        assert_eq!(rewritten[0].effective, "file:///srv/git/owner/name");
        assert_eq!(rewritten[0].protocols, Protocols::File);
        let helper = GitSettings::with_rewrite("https://127.0.0.1:8443/", "ext::sh -c id ");
        assert!(matches!(
            remotes_for(&helper, &url, Will::Metadata),
            Err(Unreachable::Refused(_))
        ));
    }

    #[test]
    fn ssh_urls_of_known_hosts_are_tried_over_https_first() {
        let url: RepositoryUrl = "git@github.com:owner/name.git".parse().unwrap();
        let remotes = remotes_for(&GitSettings::default(), &url, Will::User).unwrap();
        let tried: Vec<_> = remotes
            .iter()
            .map(|remote| remote.effective.as_str())
            .collect();
        assert_eq!(
            tried,
            [
                "https://github.com/owner/name",
                "ssh://git@github.com/owner/name"
            ]
        );
        assert_eq!(remotes[1].canonical, "https://github.com/owner/name");
    }

    proptest! {
        #[test]
        fn no_listing_panics(
            bytes: Vec<u8>,
            shaped in "(([0-9a-f]{40}|[0-9a-fé]{0,3})[\t ]?(HEAD|refs/)?(heads/|tags/|remotes/|pull/)?[a-z/]{0,3}(\\^\\{\\})?\n?){0,6}",
        ) {
            for listing in [bytes, shaped.into_bytes()] {
                check_listing(&listing);
            }
        }

        #[test]
        fn nothing_but_https_ssh_and_git_comes_of_metadata(
            text in "(https?|ssh|git)://([a-z]@)?(127\\.0\\.0\\.1|10\\.0\\.0\\.1|192\\.168\\.0\\.1)(:[0-9]{0,6})?/[a-z./]{0,6}",
        ) {
            if let Ok(url) = text.parse::<RepositoryUrl>() {
                for form in forms_of(&url) {
                    let protocols = protocols_of(&form).unwrap();
                    let (host, _) = host_and_port(&form, protocols);
                    prop_assert_eq!(host.as_str(), url.host());
                }
                prop_assert!(remotes_for(&GitSettings::default(), &url, Will::Metadata).is_err());
            }
        }
    }
}
