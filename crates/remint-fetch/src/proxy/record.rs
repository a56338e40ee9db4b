//! What a proxy passed on and refused.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use remint_model::{Fetched, RefusedRequest, Sha256};

use crate::budget::{Budget, Exceeded};

/// A build that asks for more than this is only making noise.
const MOST: usize = 50_000;

/// Everything that a proxy did, each list sorted and without repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyRecord {
    /// What was passed on, by the bytes that the registry sent.
    pub fetched: Vec<Fetched>,
    /// What was refused. Three reasons are harmless: `audit` (a vulnerability query) and `update-check` (a client
    /// looking itself up), which clients send unasked, and `unknown-endpoint` (something else of a registry that
    /// installing does not need).
    pub refused: Vec<RefusedRequest>,
    /// Files that the registry says it does not have.
    pub gone: Vec<String>,
    /// What could not be had for another reason, which follows the URL after a colon and a space.
    pub unavailable: Vec<String>,
    /// Whether the build asked for the published file.
    pub consumed_published: bool,
    /// The budget, when the build asked for more than that: from then on it got nothing.
    pub over_budget: Option<u64>,
    /// What this machine itself could not do (a full disk), if anything: then nothing above is to be held against
    /// the release.
    pub machine_fault: Option<String>,
}

#[derive(Debug, Default)]
struct Lists {
    fetched: BTreeSet<Fetched>,
    refused: BTreeSet<RefusedRequest>,
    gone: BTreeSet<String>,
    unavailable: BTreeSet<String>,
    consumed_published: bool,
    machine_fault: Option<String>,
}

/// Collects from all connections.
#[derive(Debug, Default)]
pub(super) struct Recorder(Mutex<Lists>);

impl Recorder {
    fn change<Answer>(&self, change: impl FnOnce(&mut Lists) -> Answer) -> Answer {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first time that something is passed on it has to be paid for.
    pub(super) fn fetched(
        &self,
        url: &str,
        sha256: Sha256,
        size: u64,
        pay: impl FnOnce() -> Result<(), Exceeded>,
    ) -> Result<(), Exceeded> {
        let entry = Fetched {
            url: url.to_owned(),
            sha256,
            size,
        };
        self.change(|lists| {
            if !lists.fetched.contains(&entry) {
                pay()?;
                insert(&mut lists.fetched, entry);
            }
            Ok(())
        })
    }

    pub(super) fn refused(&self, url: &str, reason: &str) {
        let entry = RefusedRequest {
            url: url.chars().take(2000).collect(),
            reason: reason.to_owned(),
        };
        self.change(|lists| insert(&mut lists.refused, entry));
    }

    pub(super) fn consumed_published(&self) {
        self.change(|lists| lists.consumed_published = true);
    }

    pub(super) fn gone(&self, url: &str) {
        self.change(|lists| insert(&mut lists.gone, url.to_owned()));
    }

    pub(super) fn unavailable(&self, url: &str, reason: &str) {
        self.change(|lists| insert(&mut lists.unavailable, format!("{url}: {reason}")));
    }

    pub(super) fn machine_fault(&self, reason: &str) {
        self.change(|lists| {
            lists.machine_fault.get_or_insert_with(|| reason.to_owned());
        });
    }

    pub(super) fn snapshot(&self, budget: &Budget) -> ProxyRecord {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ProxyRecord {
            fetched: lists.fetched.iter().cloned().collect(),
            refused: lists.refused.iter().cloned().collect(),
            gone: lists.gone.iter().cloned().collect(),
            unavailable: lists.unavailable.iter().cloned().collect(),
            consumed_published: lists.consumed_published,
            over_budget: budget.check().err().map(|exceeded| exceeded.limit),
            machine_fault: lists.machine_fault.clone(),
        }
    }
}

fn insert<T: Ord>(list: &mut BTreeSet<T>, entry: T) {
    if list.len() < MOST {
        list.insert(entry);
    }
}
