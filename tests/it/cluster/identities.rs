//! Two hosts on one PostgreSQL: what is taken away from somebody on one host, he soon does not have on the other.

use pawl_tests::database::Database;
use pawl_tests::pawl::{Options, Pawl, Store};
use serde_json::json;

#[test]
fn what_is_taken_away_on_one_host_is_soon_gone_on_the_other() {
    let database = Database::new();
    let on = |root_key| Options {
        store: Store::Shared(database.url().to_owned()),
        root_key,
        ..Options::default()
    };
    let first = Pawl::start(on(None));
    let second = Pawl::start(on(first.root_key()));
    let script = [include_str!("../boto3/iam.py"), include_str!("../boto3/iam_hosts.py")].join("\n");
    let _ = first.boto3(&script, &json!({"other": format!("http://{}", second.address())}));
}
