arn = sm.create_secret(Name="team/db", SecretString="v")["ARN"]
partial = arn.rsplit("-", 1)[0]
for secret_id in ["team/db", arn, partial]:
    assert sm.get_secret_value(SecretId=secret_id)["SecretString"] == "v", secret_id
gone = ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
for secret_id in ["team", "team/db2", partial + "-aaaaaa", partial.replace("us-east-1", "us-east-2"),
                  partial.replace("000000000000", "111111111111")]:

    code, _ = refused(sm.describe_secret, SecretId=secret_id)
    assert code in ("ResourceNotFoundException", "AccessDeniedException", "InvalidParameterException"), (secret_id, code)

# A name that ends as an ARN does: the partial ARN is read as a whole one.
tricky = sm.create_secret(Name="with-a1b2c3", SecretString="t")["ARN"]
assert sm.get_secret_value(SecretId="with-a1b2c3")["SecretString"] == "t"
assert sm.get_secret_value(SecretId=tricky)["SecretString"] == "t"
assert refused(sm.get_secret_value, SecretId=tricky.rsplit("-", 1)[0]) == gone
short = sm.create_secret(Name="with-a1b2", SecretString="u")["ARN"]
assert sm.get_secret_value(SecretId=short.rsplit("-", 1)[0])["SecretString"] == "u"

invalid = ("Invalid name. Must be a valid name containing alphanumeric characters, "
           "or any of the following: -/_+=.@!")
for bad in ["a b", "a:b", "a*b", "é", "a\\b", "a'b"]:
    code, message = refused(sm.create_secret, Name=bad, SecretString="x")
    assert code == "ValidationException" and message == invalid, (bad, code, message)
    code, message = refused(sm.put_secret_value, SecretId=bad, SecretString="x")
    assert code == "ValidationException", (bad, code, message)
for good in ["a", "a/b", "a_b+c=d.e@f-g", "x" * 512]:
    assert sm.create_secret(Name=good, SecretString="x")["Name"] == good
