//! Each provider: a store is made with it, served again with it, and refused without it.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pawl_tests::aws::{self, Signer};
use pawl_tests::command::Ran;
use pawl_tests::pawl::{ACCESS_KEY_ID, Options, Pawl, SECRET_ACCESS_KEY};
use pawl_tests::scratch::Scratch;
use serde_json::{Value, json};

use super::openbao::{OpenBao, TOKEN};
use super::{from, holds, private, status};

/// Serves a store again that was made with `right`, after it was refused with `wrong`, by a sentence with `told`.
fn is_opened_only_by(pawl: &mut Pawl, wrong: &[(&str, &str)], told: &str) {
    let before = status(pawl)["RootKeys"].clone();
    assert_eq!(pawl.terminate(), Some(0));
    for (providers, variable) in wrong {
        let mut other = Pawl::beside(pawl);
        other.set_environment("PAWL_ROOT_KEY_PROVIDER", providers);
        other.set_environment("PAWL_ROOT_KEY", variable);
        let why = other.try_resume().unwrap_err();
        assert!(why.contains(told) && why.contains("nothing has been written"), "{why}");
    }
    pawl.resume();
    assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
    assert_eq!(status(pawl)["RootKeys"], before);
}

#[test]
fn a_passphrase_opens_the_store_that_was_made_with_it() {
    let scratch = Scratch::new("passphrase");
    let file = private(scratch.path().join("right"), "correct horse battery staple\n");
    let wrong = private(scratch.path().join("wrong"), "correct horse battery stable\n");
    let short = private(scratch.path().join("short"), "hunter2\n");
    let of = |file: &std::path::Path| format!("passphrase:file={}", file.display());

    let refused = Pawl::prepare(from(&of(&short))).try_resume().unwrap_err();
    assert!(refused.contains("12 characters"), "{refused}");
    let mut pawl = Pawl::start(from(&of(&file)));
    let _ = pawl.create("kept", "value");
    assert_eq!(status(&pawl)["RootKeys"][0]["Provider"], "passphrase");
    assert!(!pawl.data_dir().join("root-key").exists(), "a file was made as well");
    is_opened_only_by(&mut pawl, &[(of(&wrong).as_str(), "")], "does not open the store");
    // Nor does a new key file come into being over sealed values.
    assert_eq!(pawl.terminate(), Some(0));
    let mut other = Pawl::beside(&pawl);
    other.set_environment("PAWL_ROOT_KEY_PROVIDER", "");
    let why = other.try_resume().unwrap_err();
    assert!(why.contains("passphrase") && why.contains("needs the root key"), "{why}");
    assert!(!pawl.data_dir().join("root-key").exists());
    assert!(!pawl.log().contains("battery"));
}

#[test]
fn a_root_key_in_the_environment_is_wiped_out_of_it() {
    let key = STANDARD.encode([7; 32]);
    let mut options = from("env");
    options.environment.push(("PAWL_ROOT_KEY", key.clone()));
    let mut pawl = Pawl::start(options);
    let _ = pawl.create("kept", "value");
    let own = std::path::PathBuf::from(format!("/proc/{}/environ", pawl.process()));
    assert!(holds(&own, b"PAWL_ROOT_KEY_PROVIDER"), "this test sees nothing of the environment");
    for process in pawl.children().into_iter().chain([pawl.process()]) {
        let environment = std::path::PathBuf::from(format!("/proc/{process}/environ"));
        assert!(!holds(&environment, key.as_bytes()), "process {process} still shows it");
        let arguments = std::path::PathBuf::from(format!("/proc/{process}/cmdline"));
        assert!(!holds(&arguments, key.as_bytes()));
    }
    let other = STANDARD.encode([8; 32]);
    is_opened_only_by(&mut pawl, &[("env", other.as_str())], "does not open the store");
    is_opened_only_by(&mut pawl, &[("env", "no key")], "PAWL_ROOT_KEY does not hold 32 random bytes");
    assert!(!pawl.log().contains(&key));
}

/// Calls an operation of KMS that must succeed.
fn kms(pawl: &Pawl, operation: &str, body: &Value) -> Value {
    let signer = Signer { service: "kms".to_owned(), ..pawl.signer() };
    let request = pawl.request(&format!("TrentService.{operation}"), body.to_string().as_bytes());
    let answer = signer.sign(request, aws::now()).send(pawl.address());
    assert!(answer.status == 200, "{operation} answered {} {}", answer.status, answer.body);
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

#[test]
fn a_data_key_of_another_kms_opens_the_store() {
    let scratch = Scratch::new("kms");
    let credentials = format!(
        "[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
    );
    let file = private(scratch.path().join("credentials"), &credentials);
    let mut peer = Pawl::start(Options::default());
    let made = kms(&peer, "CreateKey", &json!({}));
    let (arn, id) = (made["KeyMetadata"]["Arn"].clone(), made["KeyMetadata"]["KeyId"].clone());
    let arn = arn.as_str().unwrap().to_owned();
    let at =
        |peer: &Pawl| format!("kms:{arn}?endpoint=http://{}&credentials={}", peer.address(), file.display());
    let mut pawl = Pawl::start(from(&at(&peer)));
    let _ = pawl.create("kept", "value");
    assert_eq!(status(&pawl)["RootKeys"][0]["Provider"], "kms");
    pawl.kill9();

    // One that may make keys and not open them would lock everybody out with the next start.
    let made = peer.boto3(
        "import boto3, json\niam = boto3.client('iam')\niam.create_user(UserName='maker')\n\
         allow = {'Effect': 'Allow', 'Action': 'kms:GenerateDataKey', 'Resource': '*'}\n\
         policy = json.dumps({'Version': '2012-10-17', 'Statement': [allow]})\n\
         iam.put_user_policy(UserName='maker', PolicyName='make', PolicyDocument=policy)\n\
         key = iam.create_access_key(UserName='maker')['AccessKey']\n\
         print(json.dumps([key['AccessKeyId'], key['SecretAccessKey']]))",
        &json!({}),
    );
    let maker = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        made[0].as_str().unwrap(),
        made[1].as_str().unwrap()
    );
    let maker = private(scratch.path().join("maker"), &maker);
    let providers = at(&peer).replace(file.to_str().unwrap(), maker.to_str().unwrap());
    let mut blind = Pawl::prepare(from(&providers));
    let why = blind.try_resume().unwrap_err();
    assert!(why.contains("AccessDenied") && why.contains("kms:Decrypt"), "{why}");
    assert!(
        !blind.data_dir().join("pawl.db").exists(),
        "a store was made that nobody could have opened again"
    );

    // A KMS that says no.
    let _ = kms(&peer, "DisableKey", &json!({"KeyId": id}));
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("DisabledException") && why.contains(&arn), "{why}");
    let _ = kms(&peer, "EnableKey", &json!({"KeyId": id}));
    // One that is away is asked again, and named.
    let away = at(&peer);
    peer.kill9();
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("it is asked again") && why.contains("does not answer"), "{why}");
    peer.resume();
    assert_ne!(at(&peer), away);
    pawl.set_environment("PAWL_ROOT_KEY_PROVIDER", &at(&peer));
    pawl.resume();
    assert_eq!(pawl.value("kept", "AWSCURRENT").unwrap().1, "value");
}

#[test]
fn a_data_key_of_openbao_opens_the_store() {
    let bao = OpenBao::start();
    let scratch = Scratch::new("transit");
    let token = private(scratch.path().join("token"), &format!("{TOKEN}\n"));
    let forged = private(scratch.path().join("forged"), "another\n");
    let of = |file: &std::path::Path, key: &str| {
        format!("transit:http://127.0.0.1:{}/transit/{key}?token-file={}", bao.port, file.display())
    };
    let mut pawl = Pawl::start(from(&of(&token, "pawl")));
    let _ = pawl.create("kept", "value");
    assert_eq!(status(&pawl)["RootKeys"][0]["Provider"], "transit");
    is_opened_only_by(&mut pawl, &[(of(&forged, "pawl").as_str(), "")], "permission denied");
    is_opened_only_by(&mut pawl, &[(of(&token, "other").as_str(), "")], "message authentication failed");
    pawl.kill9();
    bao.run(&["operator", "seal"]);
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("it is asked again") && why.contains("Vault is sealed"), "{why}");
    drop(bao);
    let why = pawl.try_resume().unwrap_err();
    assert!(why.contains("does not answer"), "{why}");
}

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

#[test]
fn a_key_in_a_pkcs11_token_opens_the_store() {
    let scratch = Scratch::new("pkcs11");
    let tokens = scratch.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let configuration = format!("directories.tokendir = {}\nobjectstore.backend = file\n", tokens.display());
    let configuration = private(scratch.path().join("softhsm2.conf"), &configuration);
    let softhsm = |arguments: &[&str]| {
        let ran = Ran::of(Command::new("softhsm2-util").env("SOFTHSM2_CONF", &configuration).args(arguments));
        assert!(
            ran.code == Some(0),
            "softhsm2-util (apt-get install softhsm2): {}{}",
            ran.stdout,
            ran.stderr
        );
    };
    let material = scratch.path().join("material");
    std::fs::write(&material, [5; 32]).unwrap();
    softhsm(&["--init-token", "--free", "--label", "pawl", "--so-pin", "so-pin-1", "--pin", "user-pin-1"]);
    softhsm(&[
        "--import",
        material.to_str().unwrap(),
        "--aes",
        "--token",
        "pawl",
        "--label",
        "root",
        "--id",
        "A1",
        "--pin",
        "user-pin-1",
    ]);
    let pin = private(scratch.path().join("pin"), "user-pin-1\n");
    let wrong = private(scratch.path().join("wrong"), "user-pin-2\n");
    let of = |file: &std::path::Path, key: &str| {
        format!("pkcs11:{MODULE}?token=pawl&key={key}&pin-file={}", file.display())
    };
    let mut options = from(&of(&pin, "root"));
    options.environment.push(("SOFTHSM2_CONF", configuration.display().to_string()));
    let mut pawl = Pawl::start(options);
    let _ = pawl.create("kept", "value");
    assert_eq!(status(&pawl)["RootKeys"][0]["Provider"], "pkcs11");
    is_opened_only_by(&mut pawl, &[(of(&wrong, "root").as_str(), "")], "PinIncorrect");
    is_opened_only_by(&mut pawl, &[(of(&pin, "another").as_str(), "")], "no AES key `another`");
}
