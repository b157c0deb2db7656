//! The statements for the codes of rows.

/// Gives rows their codes: three arrays of places' parts, and one of codes.
macro_rules! sign {
    ($table:literal, $place:literal) => {
        concat!(
            "UPDATE ",
            $table,
            " SET mac = signed.mac FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) \
             AS signed (place_1, place_2, place_3, mac) WHERE ",
            $place
        )
    };
}

/// Refuses a row without a code, which only a host writes that knows none.
macro_rules! fence_added {
    ($table:literal) => {
        concat!(
            "CREATE OR REPLACE TRIGGER pawl_row_added BEFORE INSERT ON ",
            $table,
            " FOR EACH ROW WHEN (NEW.mac IS NULL AND current_setting('pawl.importing', true) IS DISTINCT FROM 'on') \
             EXECUTE FUNCTION pawl_refuse_row()"
        )
    };
}

/// Refuses a document that was changed under its old code, which only such a host does. Claims, and everything else that leaves the
/// document alone, go by.
macro_rules! fence_changed {
    ($table:literal, $columns:literal) => {
        concat!(
            "CREATE OR REPLACE TRIGGER pawl_row_changed BEFORE UPDATE OF ",
            $columns,
            " ON ",
            $table,
            " FOR EACH ROW WHEN (OLD.document IS DISTINCT FROM NEW.document AND OLD.mac IS NOT DISTINCT FROM NEW.mac) \
             EXECUTE FUNCTION pawl_refuse_row()"
        )
    };
}

declare! {
    HAS_MACS = [
        "SELECT EXISTS (SELECT 1 FROM secrets WHERE mac IS NOT NULL) OR EXISTS (SELECT 1 FROM entities WHERE mac IS NOT NULL) \
             OR EXISTS (SELECT 1 FROM functions WHERE mac IS NOT NULL) OR EXISTS (SELECT 1 FROM approvals WHERE mac IS NOT NULL) \
             OR EXISTS (SELECT 1 FROM code WHERE mac IS NOT NULL) AS found"
    ];
    /// Those who write wait, those who read do not.
    LOCK_SIGNED = ["LOCK TABLE secrets, entities, functions, approvals, code IN SHARE ROW EXCLUSIVE MODE"];
    SIGNED_SECRETS = [
        "SELECT '' AS place_1, region AS place_2, name AS place_3, ", head!(),
        " FROM secrets WHERE (region, name) > ($2, $3) AND $1::text IS NOT NULL ORDER BY region, name LIMIT $4"
    ];
    SIGNED_ENTITIES = [
        "SELECT kind AS place_1, region AS place_2, name AS place_3, kind, region, name, revision, document, sealed, mac FROM entities \
         WHERE (kind, region, name) > ($1, $2, $3) ORDER BY kind, region, name LIMIT $4"
    ];
    SIGNED_FUNCTIONS = [
        "SELECT '' AS place_1, region AS place_2, name AS place_3, uid, region, name, revision, document, mac FROM functions \
         WHERE (region, name) > ($2, $3) AND $1::text IS NOT NULL ORDER BY region, name LIMIT $4"
    ];
    SIGNED_APPROVALS = [
        "SELECT '' AS place_1, region AS place_2, name AS place_3, region, name, document, mac FROM approvals \
         WHERE (region, name) > ($2, $3) AND $1::text IS NOT NULL ORDER BY region, name LIMIT $4"
    ];
    SIGNED_CODE = [
        "SELECT '' AS place_1, '' AS place_2, digest AS place_3, digest, document, ''::bytea AS component, mac FROM code \
         WHERE digest > $3 AND $1::text IS NOT NULL AND $2::text IS NOT NULL ORDER BY digest LIMIT $4"
    ];
    SIGN_SECRETS = [sign!("secrets", "region = signed.place_2 AND name = signed.place_3")];
    SIGN_ENTITIES = [
        sign!("entities", "kind = signed.place_1 AND region = signed.place_2 AND name = signed.place_3")
    ];
    SIGN_FUNCTIONS = [sign!("functions", "region = signed.place_2 AND name = signed.place_3")];
    SIGN_APPROVALS = [sign!("approvals", "region = signed.place_2 AND name = signed.place_3")];
    SIGN_CODE = [sign!("code", "digest = signed.place_3")];
    /// What is taken over from another store may be of a time before there were codes; its key record knows.
    IMPORTING = ["SELECT set_config('pawl.importing', 'on', true)"];
    IS_FENCED = [
        "SELECT count(*) = 10 AS fenced FROM pg_trigger WHERE tgname IN ('pawl_row_added', 'pawl_row_changed') \
         AND tgrelid IN ('secrets'::regclass, 'entities'::regclass, 'functions'::regclass, 'approvals'::regclass, 'code'::regclass)"
    ];
    FENCE_FUNCTION = [
        "CREATE OR REPLACE FUNCTION pawl_refuse_row() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN \
             RAISE EXCEPTION 'a host of an earlier release of pawl may not write to this store' USING ERRCODE = 'check_violation'; \
         END $body$"
    ];
    FENCE_ADDED_SECRETS = [fence_added!("secrets")];
    FENCE_CHANGED_SECRETS = [fence_changed!("secrets", "document")];
    FENCE_ADDED_ENTITIES = [fence_added!("entities")];
    FENCE_CHANGED_ENTITIES = [fence_changed!("entities", "document")];
    FENCE_ADDED_FUNCTIONS = [fence_added!("functions")];
    FENCE_CHANGED_FUNCTIONS = [fence_changed!("functions", "document")];
    FENCE_ADDED_APPROVALS = [fence_added!("approvals")];
    FENCE_CHANGED_APPROVALS = [fence_changed!("approvals", "document")];
    FENCE_ADDED_CODE = [fence_added!("code")];
    FENCE_CHANGED_CODE = [fence_changed!("code", "document")];
}
