//! `${{ … }}` expressions of workflows, replaced where their value is known from the release itself.

/// What is known about the release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The published version.
    pub(crate) version: &'a str,
    /// The tag or branch that led to the commit.
    pub(crate) reference: &'a str,
    /// What started the workflow: `release`, `push`, …
    pub(crate) event: Option<&'a str>,
    /// The commit.
    pub(crate) commit: &'a str,
    /// The repository as `owner/name`, where that can be told.
    pub(crate) repository: &'a str,
    /// Where the tree lies during the build.
    pub(crate) build_path: &'a str,
}

impl<'a> Known<'a> {
    /// The same of a workflow that any of these starts; a release is what a release starts, if one may.
    pub(crate) fn started_by(self, triggers: &'a [String]) -> Self {
        let event = ["release", "push", "workflow_dispatch"]
            .into_iter()
            .find(|event| triggers.iter().any(|trigger| trigger == event))
            .or_else(|| triggers.first().map(String::as_str));
        Self { event, ..self }
    }

    /// The text with every expression replaced; `None` when one of them has no known value, such as a secret.
    pub(crate) fn fill(&self, text: &str) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}")?;
            filled.push_str(before);
            filled.push_str(&self.value(expression.trim())?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    fn value(&self, expression: &str) -> Option<String> {
        let plain = match expression {
            "github.ref_name" | "github.event.release.tag_name" | "github.event.release.name" => {
                self.reference
            }
            "github.ref" => return Some(format!("refs/tags/{}", self.reference)),
            "github.event_name" => self.event?,
            "github.sha" => self.commit,
            "github.repository" => self.repository,
            "github.workspace" => self.build_path,
            "runner.temp" => "/tmp",
            "runner.os" => "Linux",
            _ => return self.by_name(expression),
        };
        Some(plain.to_owned())
    }

    /// Outputs of earlier steps and inputs of a dispatch are known by their names alone.
    fn by_name(&self, expression: &str) -> Option<String> {
        let from = [
            "steps.",
            "needs.",
            "inputs.",
            "github.event.inputs.",
            "env.",
        ]
        .iter()
        .any(|prefix| expression.starts_with(prefix));
        let name = expression.rsplit(['.', '[']).next()?.to_ascii_lowercase();
        let name = name.trim_matches(['\'', '"', ']']);
        if !from || expression.contains(' ') {
            return None;
        }
        if name.contains("version") && !name.contains("node") && !name.contains("type") {
            Some(self.version.to_owned())
        } else if name == "tag" || name.ends_with("tag_name") || name.ends_with("release_tag") {
            Some(self.reference.to_owned())
        } else {
            None
        }
    }
}

#[cfg(test)]
pub(super) const KNOWN: Known<'static> = Known {
    version: "1.2.3",
    reference: "v1.2.3",
    event: Some("push"),
    commit: "0123456789abcdef0123456789abcdef01234567",
    repository: "o/n",
    build_path: "/build",
};

#[cfg(test)]
mod tests {
    use super::KNOWN;

    #[test]
    fn known_values_are_filled_in_and_nothing_is_guessed() {
        for (text, expect) in [
            ("plain", Some("plain")),
            ("x ${{ github.ref_name }} y", Some("x v1.2.3 y")),
            ("${{github.ref}}", Some("refs/tags/v1.2.3")),
            ("${{ github.event_name }}", Some("push")),
            ("${{ steps.x.outputs.version }}", Some("1.2.3")),
            ("${{ inputs.new-version }}", Some("1.2.3")),
            ("${{ needs.a.outputs['tag_name'] }}", Some("v1.2.3")),
            ("${{ secrets.NPM_VERSION }}", None),
            ("${{ matrix.version }}", None),
            ("${{ matrix.node-version }}", None),
            ("${{ steps.x.outputs.hash }}", None),
            ("${{ inputs.version_type }}", None),
            ("${{ open", None),
        ] {
            assert_eq!(KNOWN.fill(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn a_workflow_for_releases_was_started_by_one() {
        for (triggers, expect) in [
            (&["workflow_dispatch", "release"][..], Some("release")),
            (&["workflow_dispatch", "push"], Some("push")),
            (&["schedule"], Some("schedule")),
            (&[], None),
        ] {
            let triggers: Vec<String> = triggers.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(KNOWN.started_by(&triggers).event, expect);
        }
    }
}
