//! The source of a user's credentials, resolved as the AWS CLI does, and the remedy if they are not valid.
//!
//! In addition to what the SDK resolves, this supports profiles with `mfa_serial` (the SDK ignores it) and with
//! `login_session` (`aws login`; the SDK's own support adds a second crypto provider, so the credentials are read from
//! the AWS CLI with `aws configure export-credentials`).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_config::credential_process::CredentialProcessProvider;
use aws_config::profile::{Profile, ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use lifeboat_store::ports::BoxError;

/// Asks the user for the code of an MFA device, given its serial number or ARN; `None` if there is no user to ask.
pub type AskMfaCode = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The duration in seconds for which a role is assumed: the longest that every role allows (IAM User Guide, "Maximum
/// session duration").
const SESSION_SECONDS: i32 = 3600;

/// The maximum length of a chain of profiles.
const LONGEST_CHAIN: usize = 10;

/// A kind of credentials. For a chain of roles it is the kind of the first credentials, which the user can renew.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    Environment,
    /// IAM Identity Center, with the name of the `sso-session` section if there is one.
    IdentityCenter(Option<String>),
    /// `aws login`.
    Login,
    /// `credential_process`.
    Process,
    /// `web_identity_token_file`.
    WebIdentity,
    /// Access keys in `~/.aws/credentials` or `~/.aws/config`.
    AccessKeys,
    /// `credential_source`: the environment, or the role of a container or an instance.
    Named(String),
    /// No profile and no keys: the role of a container or an instance, if any.
    Machine,
    /// A profile that does not exist.
    Missing,
}

/// The source of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSource {
    /// The profile that is used, if any.
    profile: Option<String>,
    /// The profile at the end of its chain, which `kind` describes.
    base: Option<String>,
    kind: Kind,
    /// The MFA device that a role of the chain requires.
    mfa: Option<String>,
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(profile) = &self.profile {
            write!(f, "the profile {profile} (")?;
        }
        match &self.kind {
            Kind::Environment => f.write_str("the access keys in the environment")?,
            Kind::IdentityCenter(Some(session)) => write!(f, "IAM Identity Center, sso-session {session}")?,
            Kind::IdentityCenter(None) => f.write_str("IAM Identity Center")?,
            Kind::Login => f.write_str("aws login")?,
            Kind::Process => f.write_str("credential_process")?,
            Kind::WebIdentity => f.write_str("web_identity_token_file")?,
            Kind::AccessKeys => f.write_str("access keys")?,
            Kind::Named(source) => write!(f, "credential_source {source}")?,
            Kind::Machine => f.write_str("the role of this container or instance")?,
            Kind::Missing => f.write_str("not configured")?,
        }
        if let (Some(base), true) = (&self.base, self.base != self.profile) {
            write!(f, " of the profile {base}")?;
        }
        if self.mfa.is_some() {
            f.write_str(", with MFA")?;
        }
        match self.profile {
            Some(_) => f.write_str(")"),
            None => Ok(()),
        }
    }
}

impl CredentialSource {
    /// Returns what the user must do if AWS or the source refuses.
    #[must_use]
    pub fn remedy(&self) -> String {
        let option = |name: &str| match name {
            "default" => String::new(),
            name => format!(" --profile {name}"),
        };
        let base = self
            .base
            .as_deref()
            .or(self.profile.as_deref())
            .unwrap_or("default");
        let again = "then run the same command again";
        match &self.kind {
            Kind::IdentityCenter(_) => format!("run `aws sso login{}`, {again}", option(base)),
            Kind::Login => format!("run `aws login{}`, {again}", option(base)),
            Kind::Process => {
                format!("run the credential_process of the profile {base} by hand to see why it fails, {again}")
            }
            Kind::WebIdentity => format!("renew the file web_identity_token_file of the profile {base}, {again}"),
            Kind::AccessKeys => format!(
                "check the keys with `aws sts get-caller-identity{}`, replace them with `aws configure{}`, {again}",
                option(base),
                option(base)
            ),
            Kind::Environment => {
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to current values, or unset them and use --profile".to_owned()
            }
            Kind::Named(source) => {
                format!("check that credential_source {source} of the profile {base} is available here, {again}")
            }
            Kind::Machine => {
                "sign in (`aws sso login`, `aws login`, `aws configure`) and choose the profile with --profile or AWS_PROFILE".to_owned()
            }
            Kind::Missing => {
                "list the profiles with `aws configure list-profiles`, and choose one with --profile or AWS_PROFILE".to_owned()
            }
        }
    }
}

/// The profiles of this machine.
pub(super) struct Profiles {
    set: ProfileSet,
    environment: Env,
    /// The profile that was named on the command line.
    named: Option<String>,
}

impl Profiles {
    /// Reads `~/.aws/config` and `~/.aws/credentials`, or the files that the environment names.
    ///
    /// # Errors
    /// If a file cannot be read or parsed.
    pub(super) async fn load(named: Option<&str>) -> Result<Self, BoxError> {
        Self::load_from(&Fs::real(), Env::real(), named).await
    }

    async fn load_from(files: &Fs, environment: Env, named: Option<&str>) -> Result<Self, BoxError> {
        let chosen = named.map(|name| Cow::Owned(name.to_owned()));
        let set = aws_config::profile::load(files, &environment, &EnvConfigFiles::default(), chosen).await?;
        Ok(Self {
            set,
            environment,
            named: named.map(str::to_owned),
        })
    }

    /// Returns the profile that provides the credentials; `None` if the environment provides them or nothing is
    /// configured. As in the AWS CLI, a profile that is named on the command line takes precedence over keys in the
    /// environment.
    fn chosen(&self) -> Option<&str> {
        if let Some(named) = &self.named {
            return Some(named);
        }
        if self.has_keys_in_environment() {
            return None;
        }
        let selected = self.set.selected_profile();
        (selected != "default" || self.set.get_profile(selected).is_some()).then_some(selected)
    }

    fn has_keys_in_environment(&self) -> bool {
        let is_set = |name| {
            self.environment
                .get(name)
                .is_ok_and(|value| !value.trim().is_empty())
        };
        is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY")
    }

    /// Returns the source of the credentials.
    pub(super) fn source(&self) -> CredentialSource {
        let Some(name) = self.chosen() else {
            return CredentialSource {
                profile: None,
                base: None,
                kind: match self.has_keys_in_environment() {
                    true => Kind::Environment,
                    false => Kind::Machine,
                },
                mfa: None,
            };
        };
        let chain = self.chain(name);
        let base = chain.last().copied();
        let mfa = chain.iter().find_map(|profile| profile.get("mfa_serial"));
        CredentialSource {
            profile: Some(name.to_owned()),
            base: base.map(|profile| profile.name().to_owned()),
            kind: base.map_or(Kind::Missing, kind),
            mfa: mfa.map(str::to_owned),
        }
    }

    /// Returns the profile, followed by those that it takes its credentials from.
    fn chain(&self, name: &str) -> Vec<&Profile> {
        let mut chain: Vec<&Profile> = Vec::new();
        let mut next = Some(name);
        while let Some(profile) = next.and_then(|name| self.set.get_profile(name)) {
            if chain.len() == LONGEST_CHAIN || chain.iter().any(|seen| seen.name() == profile.name()) {
                break;
            }
            chain.push(profile);
            next = match is_role(profile) {
                true => profile
                    .get("source_profile")
                    .filter(|source| *source != profile.name()),
                false => None,
            };
        }
        chain
    }

    /// Returns the provider of the credentials; `None` if the SDK's default chain is to be used.
    pub(super) fn provider(
        &self,
        sdk: &SdkConfig,
        ask: &Arc<AskMfaCode>,
    ) -> Option<SharedCredentialsProvider> {
        let name = self.chosen()?;
        Some(self.provider_of(name, sdk, ask, LONGEST_CHAIN))
    }

    /// Returns the provider of a profile. `depth` limits the number of roles, because profiles may refer to each other
    /// in a circle; the SDK's own provider reports that.
    fn provider_of(
        &self,
        name: &str,
        sdk: &SdkConfig,
        ask: &Arc<AskMfaCode>,
        depth: usize,
    ) -> SharedCredentialsProvider {
        let chain = self.chain(name);
        let needs_mfa = chain.iter().any(|profile| profile.get("mfa_serial").is_some());
        let is_login = chain.last().is_some_and(|base| kind(base) == Kind::Login);
        match chain.first() {
            Some(_) if is_login && !needs_mfa => {
                SharedCredentialsProvider::new(CredentialProcessProvider::new(format!(
                    "aws configure export-credentials --profile {} --format process",
                    quoted(name)
                )))
            }
            Some(profile) if needs_mfa && is_role(profile) && depth > 0 => {
                let source = match profile.get("source_profile") {
                    Some(source) if source != profile.name() => self.provider_of(source, sdk, ask, depth - 1),
                    _ => SharedCredentialsProvider::new(keys_of(profile)),
                };
                SharedCredentialsProvider::new(AssumedRole::new(profile, source, sdk, ask))
            }
            Some(profile) if !is_role(profile) && kind(profile) == Kind::AccessKeys && has_keys(profile) => {
                SharedCredentialsProvider::new(keys_of(profile))
            }
            _ => {
                let configuration = ProviderConfig::without_region().with_region(sdk.region().cloned());
                let builder = ProfileFileCredentialsProvider::builder().configure(&configuration);
                SharedCredentialsProvider::new(builder.profile_name(name).build())
            }
        }
    }
}

fn is_role(profile: &Profile) -> bool {
    profile.get("role_arn").is_some() && profile.get("web_identity_token_file").is_none()
}

/// Returns the kind of a profile's own credentials, in the order in which the SDKs look for them (AWS SDKs and Tools
/// Reference Guide, "Standardized credential providers").
fn kind(profile: &Profile) -> Kind {
    let has = |property| profile.get(property).is_some();
    if let Some(source) = profile.get("credential_source") {
        Kind::Named(source.to_owned())
    } else if has("web_identity_token_file") {
        Kind::WebIdentity
    } else if has("sso_session") || has("sso_start_url") {
        Kind::IdentityCenter(profile.get("sso_session").map(str::to_owned))
    } else if has("login_session") {
        Kind::Login
    } else if has("credential_process") {
        Kind::Process
    } else {
        Kind::AccessKeys
    }
}

/// Whether access keys are in the profile itself.
fn has_keys(profile: &Profile) -> bool {
    profile.get("aws_access_key_id").is_some() && profile.get("aws_secret_access_key").is_some()
}

/// Returns the keys in the profile itself. AWS rejects empty keys like wrong ones.
fn keys_of(profile: &Profile) -> Credentials {
    let value = |name| profile.get(name).unwrap_or_default().to_owned();
    let token = profile.get("aws_session_token").map(str::to_owned);
    Credentials::new(
        value("aws_access_key_id"),
        value("aws_secret_access_key"),
        token,
        None,
        "ProfileFile",
    )
}

/// Quotes a name for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A role that is assumed with the credentials of another profile, and with the code of an MFA device if the profile
/// requires one.
struct AssumedRole {
    sts: aws_sdk_sts::Client,
    role: String,
    session: String,
    external_id: Option<String>,
    mfa: Option<String>,
    ask: Arc<AskMfaCode>,
}

impl fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssumedRole")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl AssumedRole {
    fn new(
        profile: &Profile,
        source: SharedCredentialsProvider,
        sdk: &SdkConfig,
        ask: &Arc<AskMfaCode>,
    ) -> Self {
        let sdk = sdk.clone().into_builder().credentials_provider(source).build();
        let value = |name| profile.get(name).map(str::to_owned);
        Self {
            sts: aws_sdk_sts::Client::new(&sdk),
            role: value("role_arn").unwrap_or_default(),
            session: value("role_session_name").unwrap_or_else(|| "lifeboat".to_owned()),
            external_id: value("external_id"),
            mfa: value("mfa_serial"),
            ask: Arc::clone(ask),
        }
    }

    async fn assume(&self) -> provider::Result {
        let code = match &self.mfa {
            Some(serial) => Some((self.ask)(serial).ok_or_else(|| {
                CredentialsError::invalid_configuration(format!(
                    "the role {} requires a code of the MFA device {serial}, and there is no terminal to ask for it",
                    self.role
                ))
            })?),
            None => None,
        };
        let answer = (self.sts.assume_role())
            .role_arn(&self.role)
            .role_session_name(&self.session)
            .set_external_id(self.external_id.clone())
            .set_serial_number(self.mfa.clone())
            .set_token_code(code)
            .duration_seconds(SESSION_SECONDS)
            .send()
            .await
            .map_err(CredentialsError::provider_error)?;
        let given = answer
            .credentials()
            .ok_or_else(|| CredentialsError::unhandled("STS returned no credentials"))?;
        let expires = std::time::SystemTime::try_from(*given.expiration()).ok();
        Ok(Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            expires,
            "AssumedRole",
        ))
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}

#[cfg(test)]
mod tests;
