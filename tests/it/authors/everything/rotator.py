"""Uses what the SDK has beside the usual: a key that a service makes, a password that is read, statements of its own."""

from pawl import Permanent, Rotation, Rotator, http, log
from pawl.database import Session, login_known
from pawl.reveal import reveal
from pawl.statements import execute, query

KEYS = "SERVICE/keys"


class Everything(Rotator):
    def create(self, rotation: Rotation) -> None:
        if rotation.find_pending() is not None:
            return
        made = http.capture("POST", KEYS, ["json:/data/key"], headers={"idempotency-key": rotation.id}, body="{}")
        key = made.key("asking for a key")
        rotation.put_pending(rotation.current(), {"password": rotation.random_password(), "token": key})

    def set(self, rotation: Rotation) -> None:
        pending, login = rotation.pending(), login_known(rotation)
        if not login.already_set:
            login.session.set_password(pending.text("username"), pending.sensitive("password"))

    def test(self, rotation: Rotation) -> None:
        pending = rotation.pending()
        session = Session.login(pending)
        rows = query(session, "SELECT current_user::text, $1::text, $2::text", ["some", None])
        wanted = [[pending.text("username"), "some", None]]
        if rows != wanted:
            raise Permanent(f"{rows} and not {wanted}")
        if execute(session, "SET application_name = 'everything'") != 0:
            raise Permanent("rows were touched")
        length = len(reveal(pending.sensitive("password")))
        if length != 32:
            raise Permanent(f"a password of {length} characters was read")
        log(f"all of it, {len(reveal(pending.sensitive('token')))}")
