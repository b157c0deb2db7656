//! Logins by tokens of an identity provider: AWS's own clients with a token's file and nothing else, and tokens that lie.

use std::path::PathBuf;
use std::process::Command;

use pawl_tests::command::Ran;
use pawl_tests::http::{Answer, Request};
use pawl_tests::pawl::{Options, Pawl};
use pawl_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::certificates::{Authority, Term};
use super::issuer::{IssuerServer, Key, put};

const SUBJECT: &str = "system:serviceaccount:payments:api";
const AUDIENCE: &str = "sts.amazonaws.com";
const ROLE: &str = "arn:aws:iam::000000000000:role/api";

/// A server, an issuer that it knows, a role that trusts one subject of it, and a secret that the role may read.
struct Ground {
    pawl: Pawl,
    issuer: IssuerServer,
    scratch: Scratch,
}

impl Ground {
    fn new(environment: impl FnOnce(&Scratch, &IssuerServer) -> Vec<(&'static str, String)>) -> Self {
        let scratch = Scratch::new("oidc");
        let authority = Authority::new(scratch.path(), "issuers");
        let issuer = IssuerServer::start(&authority.certify(&["127.0.0.1"], Term::Running));
        let mut variables = vec![("PAWL_OIDC_CA", authority.file.to_str().unwrap().to_owned())];
        variables.extend(environment(&scratch, &issuer));
        let pawl = Pawl::start(Options { environment: variables, ..Options::default() });
        let ground = Self { pawl, issuer, scratch };
        ground.prepare();
        ground
    }

    fn prepare(&self) {
        let _ = self
            .iam(&[
                "create-open-id-connect-provider",
                "--url",
                &self.issuer.url(),
                "--client-id-list",
                AUDIENCE,
            ])
            .ok();
        let _ = self
            .iam(&[
                "create-role",
                "--role-name",
                "api",
                "--assume-role-policy-document",
                &self.trust(&json!({})),
            ])
            .ok();
        let policy = json!({"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}});
        let document = policy.to_string();
        let _ = self
            .iam(&[
                "put-role-policy",
                "--role-name",
                "api",
                "--policy-name",
                "p",
                "--policy-document",
                &document,
            ])
            .ok();
        let _ = self.pawl.create("db", "for pods");
    }

    fn host(&self) -> String {
        self.issuer.url().strip_prefix("https://").unwrap().to_owned()
    }

    fn provider(&self) -> String {
        format!("arn:aws:iam::000000000000:oidc-provider/{}", self.host())
    }

    /// A trust policy for the one subject, with other members in its statement.
    fn trust(&self, changes: &Value) -> String {
        let host = self.host();
        let mut statement = json!({"Effect": "Allow", "Principal": {"Federated": self.provider()},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{host}:sub"): SUBJECT, format!("{host}:aud"): AUDIENCE}}});
        for (name, value) in changes.as_object().unwrap() {
            statement[name] = value.clone();
        }
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }

    fn iam(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("aws");
        self.pawl.client(&mut command);
        Ran::of(command.args(["--output", "json", "iam"]).args(arguments))
    }

    fn token_file(&self) -> PathBuf {
        self.scratch.path().join("token")
    }

    /// The environment of a pod.
    fn as_pod(&self, command: &mut Command) {
        self.pawl.client(command);
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", self.token_file())
            .env("AWS_ROLE_ARN", ROLE)
            .env("AWS_ROLE_SESSION_NAME", "api-0");
    }

    fn claims(&self) -> Value {
        self.issuer.claims(SUBJECT, AUDIENCE)
    }

    /// Asks without a signature, as SDKs do.
    fn ask(&self, role: &str, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", "pod"),
            ("WebIdentityToken", token),
        ];
        fields.extend(more);
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let body = body.join("&").into_bytes();
        Request { method: "POST".to_owned(), path: "/".to_owned(), headers: Vec::new(), body }
            .header("host", &self.pawl.address().to_string())
            .header("content-type", "application/x-www-form-urlencoded")
            .send(self.pawl.address())
    }

    /// The status, and the error's code.
    fn refused(&self, token: &str) -> (u16, String) {
        let answer = self.ask(ROLE, token, &[]);
        assert!(!answer.body.contains("SecretAccessKey"), "{}", answer.body);
        (answer.status, member(&answer.body, "Code"))
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

fn member(xml: &str, name: &str) -> String {
    let rest = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}")).1;
    rest.split_once('<').unwrap().0.to_owned()
}

#[test]
fn a_pod_reads_its_secret_with_a_tokens_file_and_nothing_else() {
    let mut ground = Ground::new(|_, _| Vec::new());
    for key in [Key::rsa(), Key::p256(), Key::ed25519()] {
        // The issuer has another key under the same name: a host that has just begun knows none.
        ground.pawl.kill9();
        ground.pawl.resume();
        ground.issuer.publish(&[key.public("k")]);
        put(&ground.token_file(), &key.token("k", &ground.claims()));
        let mut command = Command::new("aws");
        ground.as_pod(&mut command);
        let read = ["--output", "json", "secretsmanager", "get-secret-value", "--secret-id", "db"];
        assert_eq!(Ran::of(command.args(read)).json()["SecretString"], "for pods");
        let mut command = Command::new("python3");
        ground.as_pod(&mut command);
        let script = "import boto3, json; s = boto3.Session(); \
                      print(json.dumps([s.client('secretsmanager').get_secret_value(SecretId='db')['SecretString'], \
                      s.client('sts').get_caller_identity()['Arn']]))";
        let found = Ran::of(command.args(["-c", script])).json();
        assert_eq!(found, json!(["for pods", "arn:aws:sts::000000000000:assumed-role/api/api-0"]));
        let mut command = Command::new("aws");
        ground.as_pod(&mut command);
        let denied = Ran::of(command.args(["secretsmanager", "delete-secret", "--secret-id", "db"]));
        assert!(denied.stderr.contains("AccessDeniedException"), "{denied:?}");
    }
}

#[test]
fn a_token_that_lies_opens_nothing() {
    let ground = Ground::new(|_, _| Vec::new());
    let [key, other] = [Key::p256(), Key::p256()];
    let rsa = Key::rsa();
    ground.issuer.publish(&[key.public("k"), rsa.public("r")]);
    let good = key.token("k", &ground.claims());
    let answer = ground.ask(ROLE, &good, &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(member(&answer.body, "SubjectFromWebIdentityToken"), SUBJECT);
    assert_eq!(member(&answer.body, "Provider"), ground.issuer.url());
    assert_eq!(member(&answer.body, "Audience"), AUDIENCE);

    let invalid = (400, "InvalidIdentityToken".to_owned());
    let with = |changes: Value| {
        let mut claims = ground.claims();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        key.token("k", &claims)
    };
    let now = pawl_tests::aws::now();
    assert_eq!(ground.refused(&with(json!({"exp": now - 1}))), (400, "ExpiredTokenException".to_owned()));
    assert_eq!(ground.refused(&with(json!({"nbf": now + 600}))), invalid);
    assert_eq!(ground.refused(&with(json!({"aud": "elsewhere"}))), invalid);
    assert_eq!(ground.refused(&with(json!({"iss": "https://elsewhere.example"}))), invalid);
    assert_eq!(ground.refused(&with(json!({"iss": format!("{}/", ground.issuer.url())}))), invalid);
    assert_eq!(ground.refused(&with(json!({"iss": ground.issuer.url().replace("https", "http")}))), invalid);
    assert_eq!(ground.refused(&with(json!({"sub": ""}))), (403, "IDPRejectedClaim".to_owned()));
    let denied = (403, "AccessDenied".to_owned());
    assert_eq!(ground.refused(&with(json!({"sub": "system:serviceaccount:payments:other"}))), denied);
    // Signed by somebody else, by nobody, by a key of another kind, and by the public key as if it were a password.
    assert_eq!(ground.refused(&other.token("k", &ground.claims())), invalid);
    assert_eq!(ground.refused(&key.token("r", &ground.claims())), invalid);
    assert_eq!(
        ground.refused(&key.token_with(&json!({"alg": "RS256", "kid": "r"}), &ground.claims())),
        invalid
    );
    assert_eq!(
        ground.refused(&key.token_with(&json!({"alg": "HS256", "kid": "k"}), &ground.claims())),
        invalid
    );
    let none = key.token_with(&json!({"alg": "none"}), &ground.claims());
    assert_eq!(ground.refused(&none), invalid);
    assert_eq!(ground.refused(&format!("{}.", none.rsplit_once('.').unwrap().0)), invalid);
    assert_eq!(ground.refused("not a token"), invalid);
    assert_eq!(ground.refused(&format!("{good}x")), invalid);
    let fields = [
        ("DurationSeconds", "899"),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/Nothing"),
        ("ProviderId", "www.amazon.com"),
    ];
    for field in fields {
        assert_eq!(ground.ask(ROLE, &good, &[field]).status, 400, "{field:?}");
    }
    assert_eq!(ground.ask(ROLE, &"x".repeat(20_001), &[]).status, 400);
    // A role that is not there, and one that trusts nobody of the kind, are the same to him.
    let missing = ground.ask("arn:aws:iam::000000000000:role/none", &good, &[]);
    let elsewhere = ground.ask("arn:aws:iam::111111111111:role/api", &good, &[]);
    let shown =
        |answer: &Answer| (answer.status, member(&answer.body, "Code"), member(&answer.body, "Message"));
    assert_eq!(shown(&missing), shown(&elsewhere));
    assert_eq!(shown(&missing).0, 403);
    // Nothing else is open without a signature, and this is not with one that is wrong.
    for action in ["AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentityX"] {
        let body = format!("Action={action}&Version=2011-06-15").into_bytes();
        let request = Request { method: "POST".to_owned(), path: "/".to_owned(), headers: Vec::new(), body };
        let request = request.header("host", "h").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(request.send(ground.pawl.address()).status, 403, "{action}");
    }
}

#[test]
fn a_trust_policy_is_taken_at_its_word() {
    let ground = Ground::new(|_, _| Vec::new());
    let key = Key::p256();
    ground.issuer.publish(&[key.public("k")]);
    let host = ground.host();
    let status = |trust: &str, claims: &Value| {
        let _ =
            ground.iam(&["update-assume-role-policy", "--role-name", "api", "--policy-document", trust]).ok();
        ground.ask(ROLE, &key.token("k", claims), &[]).status
    };
    let plain = ground.claims();
    let condition = |operator: &str, claim: &str, value: &str| {
        ground.trust(&json!({"Condition": {operator: {format!("{host}:{claim}"): value}}}))
    };
    assert_eq!(status(&condition("StringLike", "sub", "system:serviceaccount:payments:*"), &plain), 200);
    assert_eq!(status(&condition("StringLike", "sub", "system:serviceaccount:other:*"), &plain), 403);
    assert_eq!(status(&condition("StringEquals", "aud", AUDIENCE), &plain), 200);
    assert_eq!(status(&condition("StringEquals", "aud", "elsewhere"), &plain), 403);
    assert_eq!(status(&condition("StringEquals", "email", "a@b"), &plain), 403, "a claim that is not there");
    // Neither everybody nor another provider, nor another action.
    assert_eq!(status(&ground.trust(&json!({"Principal": "*"})), &plain), 403);
    assert_eq!(status(&ground.trust(&json!({"Principal": {"AWS": "*"}})), &plain), 403);
    let other = "arn:aws:iam::000000000000:oidc-provider/elsewhere.example";
    assert_eq!(status(&ground.trust(&json!({"Principal": {"Federated": other}})), &plain), 403);
    assert_eq!(
        status(&ground.trust(&json!({"Principal": {"Federated": [other, ground.provider()]}})), &plain),
        200
    );
    assert_eq!(status(&ground.trust(&json!({"Action": "sts:AssumeRole"})), &plain), 403);
    assert_eq!(status(&ground.trust(&json!({"Action": "sts:*"})), &plain), 200);
    // What denies everybody denies him too.
    let mut both: Value = serde_json::from_str(&ground.trust(&json!({}))).unwrap();
    let denial = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}});
    both["Statement"].as_array_mut().unwrap().push(denial);
    assert_eq!(status(&both.to_string(), &plain), 403);
    // Tags need a permission of their own, and then go into the session.
    let mut tagged = plain;
    tagged["https://aws.amazon.com/tags"] = json!({"principal_tags": {"team": ["payments"]}});
    assert_eq!(status(&ground.trust(&json!({})), &tagged), 403);
    let may = json!({"Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]});
    assert_eq!(status(&ground.trust(&may), &tagged), 200);
    let longer = ground.ask(ROLE, &key.token("k", &tagged), &[("DurationSeconds", "7200")]);
    assert_eq!(longer.status, 400, "{}", longer.body);
}

#[test]
fn keys_change_and_issuers_fail() {
    let mut ground = Ground::new(|_, _| Vec::new());
    let [first, second] = [Key::p256(), Key::p256()];
    let invalid = (400, "InvalidIdentityToken".to_owned());
    let silent = (400, "IDPCommunicationError".to_owned());
    let put = |ground: &Ground, status: u16, text: &str| {
        *ground.issuer.published.instead.lock().unwrap() = Some((status, text.to_owned()));
    };
    // Nothing that an issuer may answer is believed, and a redirect is not followed.
    let long = format!("{{\"keys\":[\"{}\"]}}", "x".repeat(300 * 1024));
    let answers = [(302, "{}"), (500, "{}"), (200, "<html>"), (200, "{\"keys\":[]}"), (200, long.as_str())];
    for (status, text) in answers {
        put(&ground, status, text);
        ground.pawl.kill9();
        ground.pawl.resume();
        assert_eq!(ground.refused(&first.token("k", &ground.claims())), silent, "{status}");
    }
    *ground.issuer.published.instead.lock().unwrap() = None;
    let url = ground.issuer.url();
    for wrong in [
        json!({"issuer": "https://elsewhere.example", "jwks_uri": format!("{url}/keys")}),
        json!({"issuer": url, "jwks_uri": format!("{}/keys", url.replace("https", "http"))}),
        json!({"issuer": url, "jwks_uri": "https://169.254.169.254/latest"}),
        json!({"issuer": url, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": url}),
    ] {
        *ground.issuer.published.discovery.lock().unwrap() = Some(wrong);
        ground.issuer.publish(&[first.public("k")]);
        ground.pawl.kill9();
        ground.pawl.resume();
        assert_eq!(ground.refused(&first.token("k", &ground.claims())), silent);
    }
    *ground.issuer.published.discovery.lock().unwrap() = None;
    ground.pawl.kill9();
    ground.pawl.resume();
    let token = first.token("k", &ground.claims());
    assert_eq!(ground.ask(ROLE, &token, &[]).status, 200);
    // What is known goes on when the issuer is away, and a flood of made-up keys does not reach it.
    put(&ground, 500, "");
    let asked = ground.issuer.asked();
    for number in 0..40 {
        assert_eq!(ground.refused(&second.token(&number.to_string(), &ground.claims())), invalid);
        assert_eq!(ground.ask(ROLE, &token, &[]).status, 200);
    }
    assert!(ground.issuer.asked() <= asked + 4, "{} {asked}", ground.issuer.asked());
    // A provider that is deleted vouches for nobody; sessions of before go on until they end.
    let _ = ground
        .iam(&["delete-open-id-connect-provider", "--open-id-connect-provider-arn", &ground.provider()])
        .ok();
    assert_eq!(ground.refused(&token), invalid);
}

#[test]
fn a_cluster_without_a_network_has_its_keys_in_a_file() {
    let key = Key::ed25519();
    let public = key.public("k");
    let ground = Ground::new(|scratch, issuer| {
        let file = scratch.path().join("keys.json");
        std::fs::write(&file, json!({"keys": [public]}).to_string()).unwrap();
        vec![("PAWL_OIDC_JWKS", format!("{}={}", issuer.url(), file.display()))]
    });
    let answer = ground.ask(ROLE, &key.token("k", &ground.claims()), &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(ground.issuer.asked(), 0);
    let mut pawl = ground.pawl;
    assert_eq!(pawl.terminate(), Some(0));
    std::fs::write(ground.scratch.path().join("keys.json"), "{}").unwrap();
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("holds no keys of an identity provider"), "{why}");
}

#[test]
fn providers_are_kept_as_iam_keeps_them() {
    let pawl = Pawl::start(Options::default());
    let script = r#"
iam = boto3.client("iam", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(retries={"total_max_attempts": 1}))
def code(call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(parameters)
thumb = "990F4193972F2BECF12DDEDA5237F9C952F20D9E"
made = iam.create_open_id_connect_provider(Url="https://oidc.example/id/A", ClientIDList=["one"], ThumbprintList=[thumb],
                                           Tags=[{"Key": "team", "Value": "x"}])
arn = made["OpenIDConnectProviderArn"]
assert arn == "arn:aws:iam::000000000000:oidc-provider/oidc.example/id/A", arn
assert made["Tags"] == [{"Key": "team", "Value": "x"}], made
assert code(iam.create_open_id_connect_provider, Url="https://oidc.example/id/A") == ("EntityAlreadyExists", 409)
for wrong in ["http://oidc.example", "https://", "https://a?b=c", "oidc.example"]:
    assert code(iam.create_open_id_connect_provider, Url=wrong) == ("InvalidInput", 400), wrong
assert code(iam.create_open_id_connect_provider, Url="https://b.example", ThumbprintList=["z" * 40]) == ("InvalidInput", 400)
of = {"OpenIDConnectProviderArn": arn}
iam.add_client_id_to_open_id_connect_provider(ClientID="two", **of)
iam.add_client_id_to_open_id_connect_provider(ClientID="two", **of)
iam.remove_client_id_from_open_id_connect_provider(ClientID="one", **of)
iam.update_open_id_connect_provider_thumbprint(ThumbprintList=["a" * 40, "b" * 40], **of)
iam.tag_open_id_connect_provider(Tags=[{"Key": "stage", "Value": "y"}], **of)
iam.untag_open_id_connect_provider(TagKeys=["team"], **of)
found = iam.get_open_id_connect_provider(**of)
assert found["Url"] == "oidc.example/id/A" and found["ClientIDList"] == ["two"], found
assert found["ThumbprintList"] == ["a" * 40, "b" * 40] and found["CreateDate"], found
assert iam.list_open_id_connect_provider_tags(**of)["Tags"] == [{"Key": "stage", "Value": "y"}]
assert [p["Arn"] for p in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]] == [arn]
none = {"OpenIDConnectProviderArn": arn + "B"}
assert code(iam.get_open_id_connect_provider, **none) == ("NoSuchEntity", 404)
assert code(iam.add_client_id_to_open_id_connect_provider, ClientID="x", **none) == ("NoSuchEntity", 404)
iam.delete_open_id_connect_provider(**of)
iam.delete_open_id_connect_provider(**of)
assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
# Whoever may manage one provider may not manage another.
iam.create_open_id_connect_provider(Url="https://a.example")
iam.create_user(UserName="ann")
iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
    "Effect": "Allow", "Action": "iam:*OpenIDConnect*", "Resource": "arn:aws:iam::000000000000:oidc-provider/b.example*"}}))
key = iam.create_access_key(UserName="ann")["AccessKey"]
ann = boto3.client("iam", endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id=key["AccessKeyId"],
                   aws_secret_access_key=key["SecretAccessKey"])
ann.create_open_id_connect_provider(Url="https://b.example/x")
assert code(ann.create_open_id_connect_provider, Url="https://a.example/x") == ("AccessDenied", 403)
assert code(ann.delete_open_id_connect_provider, OpenIDConnectProviderArn="arn:aws:iam::000000000000:oidc-provider/a.example") == ("AccessDenied", 403)
assert code(ann.list_open_id_connect_providers) == ("AccessDenied", 403)
print("null")
"#;
    let _ = pawl.boto3(script, &json!({}));
}
