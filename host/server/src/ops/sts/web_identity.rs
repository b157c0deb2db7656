//! `AssumeRoleWithWebIdentity`: no signature, but a token of an identity provider.

use pawl_api::error::{ApiError, ErrorCode};
use pawl_api::query::{Form, group, maybe, number, rule, text};
use pawl_api::sts::Operation;
use pawl_core::identity::{OidcProvider, Role, arn, put_tags};
use pawl_core::limits;
use pawl_core::secret::Tag;
use pawl_iam::policy::{AccessRequest, ConditionContext, Grant, Principal, Verdict};

use super::{SessionPolicies, credentials, duration, policies, refuse};
use crate::host::Host;
use crate::identity::{Assumed, Caller, Kept, Who, trust_of};
use crate::oidc::{Claims, Token, TokenError};
use crate::ops::iam::Answer;
use crate::policy::surroundings;

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        let code = match &error {
            TokenError::Expired { .. } => ErrorCode::ExpiredIdentityToken,
            TokenError::Claim("sub" | "https://aws.amazon.com/tags") => ErrorCode::IDPRejectedClaim,
            TokenError::Form
            | TokenError::Algorithm
            | TokenError::Signature
            | TokenError::Early
            | TokenError::Audience
            | TokenError::Claim(_) => ErrorCode::InvalidIdentityToken,
        };
        Self::new(code, error.to_string())
    }
}

/// `AssumeRoleWithWebIdentity`
pub(super) async fn assume(host: &Host, caller: &Caller, form: &Form) -> Answer {
    let wanted = form.required("RoleArn", &rule::ARN)?;
    let session = form.required("RoleSessionName", &rule::SESSION_NAME)?;
    let token = form.required("WebIdentityToken", &rule::WEB_IDENTITY_TOKEN)?;
    let (least, most) = (limits::SESSION_SECONDS_MIN, limits::ROLE_SESSION_SECONDS_MAX);
    let seconds = form.number("DurationSeconds", least, most)?;
    if form.text("ProviderId", &rule::PROVIDER_ID)?.is_some() {
        let message = "ProviderId is for access tokens of OAuth 2.0, which are not served: leave it out, and give an ID token";
        return Err(refuse(ErrorCode::InvalidIdentityToken, message));
    }
    // Whoever has no token of the account's providers is told nothing about its roles and policies.
    let (provider, claims) = believed(host, token).await?;
    let SessionPolicies { policy, policies } = policies(host, form)?;
    let tags = tags(&claims)?;
    let snapshot = host.directory.snapshot();
    let account = host.app.account();
    let name = wanted.rsplit('/').next().unwrap_or_default();
    let found = snapshot.roles.get(name).map(|role| &*role.value);
    let found = found.filter(|role| arn(account, "role", &role.path, &role.name) == wanted);
    let provider_arn = provider.value.arn(account);
    let asked = Asked { provider: &provider.value, provider_arn: &provider_arn, claims: &claims, session };
    let role = found.filter(|role| asked.is_let(host, caller, role, wanted));
    let role = role.ok_or_else(|| {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        refuse(ErrorCode::AccessDeniedException, message)
    })?;
    let seconds = duration(role, seconds, false)?;
    let size = policy.as_ref().map_or(0, String::len).saturating_mul(100) / limits::SESSION_POLICY_CHARS_MAX;
    let assumed = Assumed {
        role: role.name.clone(),
        id: role.id.clone(),
        session: session.to_owned(),
        policy,
        policies,
        tags,
        transitive: claims.transitive.clone(),
        source_identity: claims.source_identity.clone(),
        provider: Some(provider_arn.clone()),
    };
    let issued = host.directory.begin(Who::Role(Box::new(assumed)), seconds, host.app.clock().wall())?;
    let user = [
        text("AssumedRoleId", format!("{}:{session}", role.id)),
        text("Arn", format!("arn:aws:sts::{account}:assumed-role/{}/{session}", role.name)),
    ];
    let mut nodes = vec![
        credentials(&issued),
        text("SubjectFromWebIdentityToken", &claims.subject),
        group("AssumedRoleUser", user),
        text("Provider", provider.value.issuer()),
        text("Audience", claims.audiences.first().map(String::as_str).unwrap_or_default()),
    ];
    if size > 0 {
        nodes.push(number("PackedPolicySize", size));
    }
    nodes.extend(maybe("SourceIdentity", claims.source_identity.as_ref()));
    Ok(Some(nodes))
}

/// The provider that vouches for a token, and what the token says.
async fn believed(host: &Host, token: &str) -> Result<(Kept<OidcProvider>, Claims), ApiError> {
    let token = Token::parse(token)?;
    let issuer = token.issuer().to_owned();
    let snapshot = host.directory.snapshot();
    let provider = issuer.strip_prefix("https://").and_then(|url| snapshot.providers.get(url));
    let provider = provider.cloned().ok_or_else(|| {
        let shown: String = issuer.chars().take(limits::PROVIDER_URL_CHARS_MAX).collect();
        let message = format!("No OpenIDConnect provider found in your account for {shown}");
        refuse(ErrorCode::InvalidIdentityToken, message)
    })?;
    let keys = host.issuers.keys(&issuer, &token).await.map_err(|_| {
        let message =
            "Couldn't retrieve verification key from your identity provider; the server's log says why";
        refuse(ErrorCode::IDPCommunicationError, message)
    })?;
    let claims = token.believe(&keys, &provider.value.client_ids, host.app.clock().wall())?;
    Ok((provider, claims))
}

/// The tags that a token gives to a session.
fn tags(claims: &Claims) -> Result<Vec<Tag>, ApiError> {
    let mut tags = Vec::new();
    let admit = |(key, value): &(String, String)| {
        rule::TAG_KEY.admit("principalTags.key", key)?;
        rule::TAG_VALUE.admit("principalTags.value", value)?;
        Ok(Tag { key: key.clone(), value: value.clone() })
    };
    let own = claims.tags.iter().map(admit).collect::<Result<Vec<_>, ApiError>>()?;
    put_tags(&mut tags, &own, "TagsPerSession")
        .map_err(|error| refuse(ErrorCode::ValidationError, error.to_string()))?;
    for key in &claims.transitive {
        if !tags.iter().any(|tag: &Tag| tag.key.eq_ignore_ascii_case(key)) {
            return Err(TokenError::Claim("https://aws.amazon.com/tags").into());
        }
    }
    if let Some(name) = &claims.source_identity {
        rule::SESSION_NAME.admit("sourceIdentity", name)?;
    }
    Ok(tags)
}

/// Who asks for a session.
struct Asked<'a> {
    provider: &'a OidcProvider,
    provider_arn: &'a str,
    claims: &'a Claims,
    session: &'a str,
}

impl Asked<'_> {
    /// Whether the role's trust policy lets him in: it must name the provider, and nothing in it may deny him.
    fn is_let(&self, host: &Host, caller: &Caller, role: &Role, wanted: &str) -> bool {
        let Some(trust) = trust_of(role) else { return false };
        let principal = Principal::federated(self.provider_arn);
        let keys = self.keys(role);
        let mut context: ConditionContext<'_> = principal.context();
        surroundings(&host.app, caller, &mut context);
        for (key, value) in &keys {
            context.push(key, value.as_str());
        }
        let mut actions = vec![Operation::AssumeRoleWithWebIdentity.action()];
        if !self.claims.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        if self.claims.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        actions.into_iter().all(|action| {
            let request =
                AccessRequest { principal: &principal, action, resource: wanted, context: &context };
            matches!(trust.decide(&request), Verdict::Allowed { grant: Grant::Role, .. })
        })
    }

    /// The condition keys of the request: those of AWS's OIDC providers have the provider's URL before the claim.
    fn keys(&self, role: &Role) -> Vec<(String, String)> {
        let (url, claims) = (self.provider.url.as_str(), self.claims);
        let mut keys = vec![
            (format!("{url}:sub"), claims.subject.clone()),
            ("sts:RoleSessionName".to_owned(), self.session.to_owned()),
        ];
        let mut all = |claim: &str, values: &[String]| {
            keys.extend(values.iter().map(|value| (format!("{url}:{claim}"), value.clone())));
        };
        all("aud", &claims.audiences);
        all("oaud", &claims.original_audiences);
        all("amr", &claims.methods);
        all("email", claims.email.as_slice());
        for (key, value) in &claims.tags {
            keys.push((format!("aws:RequestTag/{key}"), value.clone()));
            keys.push(("aws:TagKeys".to_owned(), key.clone()));
        }
        keys.extend(claims.transitive.iter().map(|key| ("sts:TransitiveTagKeys".to_owned(), key.clone())));
        keys.extend(
            claims.source_identity.iter().map(|name| ("sts:SourceIdentity".to_owned(), name.clone())),
        );
        keys.extend(role.tags.iter().map(|tag| (format!("aws:ResourceTag/{}", tag.key), tag.value.clone())));
        keys
    }
}
