import string

def password(**rules):
    return sm.get_random_password(**rules)["RandomPassword"]

assert len(password()) == 32 and password() != password()
for length in [4, 20, 4096]:
    made = password(PasswordLength=length)
    assert len(made) == length, length
    for kind in [string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation]:
        assert set(made) & set(kind), (length, kind)
assert set(password(PasswordLength=500, ExcludePunctuation=True)) <= set(string.ascii_letters + string.digits)
assert set(password(PasswordLength=500, ExcludeNumbers=True, ExcludePunctuation=True, ExcludeUppercase=True)) \
    == set(string.ascii_lowercase)
assert not set(password(PasswordLength=2000, ExcludeCharacters="abc/@\"'\\")) & set("abc/@\"'\\")
assert " " not in password(PasswordLength=2000) and " " in password(PasswordLength=2000, IncludeSpace=True)
code, _ = refused(sm.get_random_password, PasswordLength=3)
assert code == "InvalidParameterException", code
assert len(password(PasswordLength=1, RequireEachIncludedType=False)) == 1
code, _ = refused(sm.get_random_password, ExcludeLowercase=True, ExcludeUppercase=True, ExcludeNumbers=True,
                  ExcludePunctuation=True)
assert code == "InvalidParameterException", code
