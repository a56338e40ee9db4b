//! Identity tokens (OpenID Connect Core, section 2): read for what they claim, believed by nobody here.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

/// The largest token that is read, in bytes.
const LARGEST_TOKEN: usize = 32 << 10;

/// The shortest part of a token that could be worth something to somebody who finds it.
const SHORTEST_SECRET: usize = 12;

/// A token that an identity provider gave. This copy is wiped from memory when it is dropped, and never shown.
#[derive(Clone)]
pub struct IdentityToken {
    raw: Zeroizing<String>,
    challenge: String,
    signer: SignerIdentity,
    expires: Timestamp,
}

/// Whom a certificate names, and who vouches for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerIdentity {
    /// The certificate's subject alternative name.
    pub identity: String,
    /// The identity provider.
    pub issuer: String,
}

impl fmt::Display for SignerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = |text: &str| text.escape_debug().take(300).collect::<String>();
        let (identity, issuer) = (clean(&self.identity), clean(&self.issuer));
        write!(f, "`{identity}` (issuer `{issuer}`)")
    }
}

/// A text that is no identity token. Nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not the three parts of a signed token.
    #[error("the identity token is no signed JSON web token")]
    Format,
    /// It does not say what is needed.
    #[error("the identity token does not claim `iss`, `sub` and `exp`")]
    Claims,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
    email: Option<String>,
    job_workflow_ref: Option<String>,
    ci_config_ref_uri: Option<String>,
    federated_claims: Option<FederatedClaims>,
}

#[derive(Deserialize)]
struct FederatedClaims {
    connector_id: Option<String>,
}

impl IdentityToken {
    /// Reads a token, with white space around it.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() > LARGEST_TOKEN {
            return Err(TokenError::Format);
        }
        let mut parts = text.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Format);
        };
        let claims = URL_SAFE_NO_PAD
            .decode(claims)
            .map_err(|_| TokenError::Format)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| TokenError::Claims)?;
        let expires = Timestamp::from_second(claims.exp).map_err(|_| TokenError::Claims)?;
        Ok(Self {
            raw: Zeroizing::new(text.to_owned()),
            signer: claims.signer(),
            challenge: claims.email.unwrap_or(claims.sub),
            expires,
        })
    }

    /// Whom the certificate should name.
    #[must_use]
    pub const fn signer(&self) -> &SignerIdentity {
        &self.signer
    }

    /// When it ends.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// What is signed to show possession of the key (Fulcio, `docs/how-certificate-issuing-works.md`).
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }

    pub(super) fn secret(&self) -> &str {
        &self.raw
    }

    /// A text by somebody who has seen the token, without it.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for part in self.raw.split('.') {
            if part.len() >= SHORTEST_SECRET {
                clean = clean.replace(part, "…");
            }
        }
        clean
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityToken")
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}

impl Claims {
    /// What Fulcio makes of the claims (Fulcio, `docs/oid-info.md`, and its configuration for these providers).
    fn signer(&self) -> SignerIdentity {
        let github = "https://token.actions.githubusercontent.com";
        let at_github = self
            .iss
            .strip_prefix(github)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let identity = match (&self.email, &self.job_workflow_ref, &self.ci_config_ref_uri) {
            (_, Some(workflow), _) if at_github => format!("https://github.com/{workflow}"),
            (_, _, Some(configuration)) if self.iss == "https://gitlab.com" => {
                format!("https://{configuration}")
            }
            (Some(email), _, _) => email.clone(),
            _ => self.sub.clone(),
        };
        let federated = self
            .federated_claims
            .as_ref()
            .and_then(|claims| claims.connector_id.clone());
        SignerIdentity {
            identity,
            issuer: federated.unwrap_or_else(|| self.iss.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &serde_json::Value) -> String {
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJlLW9mLWl0")
    }

    fn signer(claims: &serde_json::Value) -> (String, String) {
        let token = IdentityToken::parse(&format!("{}\n", token(claims))).unwrap();
        let SignerIdentity { identity, issuer } = token.signer().clone();
        (identity, issuer)
    }

    #[test]
    fn each_provider_names_its_signers_in_its_own_way() {
        let github = "https://token.actions.githubusercontent.com";
        let cases = [
            (
                serde_json::json!({ "iss": github, "sub": "repo:o/r:ref:refs/heads/main", "exp": 1,
                    "job_workflow_ref": "o/r/.github/workflows/w.yml@refs/heads/main" }),
                "https://github.com/o/r/.github/workflows/w.yml@refs/heads/main",
                github,
            ),
            (
                serde_json::json!({ "iss": "https://gitlab.com", "sub": "project_path:g/p", "exp": 1,
                    "ci_config_ref_uri": "gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main" }),
                "https://gitlab.com/g/p//.gitlab-ci.yml@refs/heads/main",
                "https://gitlab.com",
            ),
            (
                serde_json::json!({ "iss": "https://oauth2.sigstore.dev/auth", "sub": "Cg0", "exp": 1,
                    "email": "a@example.org",
                    "federated_claims": { "connector_id": "https://accounts.google.com" } }),
                "a@example.org",
                "https://accounts.google.com",
            ),
            (
                // A claim with GitHub's name makes nobody GitHub.
                serde_json::json!({ "iss": "https://token.actions.githubusercontent.com.example.org",
                    "sub": "https://example.org/me", "exp": 1, "job_workflow_ref": "o/r/w@main" }),
                "https://example.org/me",
                "https://token.actions.githubusercontent.com.example.org",
            ),
        ];
        for (claims, identity, issuer) in cases {
            assert_eq!(signer(&claims), (identity.to_owned(), issuer.to_owned()));
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_repeated() {
        for text in [
            "",
            "a.b",
            "a.b.c.d",
            "a.!!.c",
            &"x".repeat(LARGEST_TOKEN + 1),
        ] {
            assert_eq!(IdentityToken::parse(text).unwrap_err(), TokenError::Format);
        }
        let claims = serde_json::json!({ "iss": "https://example.org", "sub": "me" });
        assert_eq!(
            IdentityToken::parse(&token(&claims)).unwrap_err(),
            TokenError::Claims
        );
    }

    #[test]
    fn a_token_is_never_shown() {
        let claims = serde_json::json!({ "iss": "https://example.org", "sub": "me", "exp": 1 });
        let text = token(&claims);
        let token = IdentityToken::parse(&text).unwrap();
        let said = format!(
            "bad token {text}, payload {}",
            text.split('.').nth(1).unwrap()
        );
        let shown = format!("{token:?} {}", token.redact(&said));
        for part in text.split('.') {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}
