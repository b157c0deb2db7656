# Calls every operation once, with whatever its model asks for, and tells under which request id it was answered.
import botocore.exceptions
from botocore import xform_name


def client_of(service):
    return boto3.client(service, endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))


def made(shape, depth=0):
    kind = shape.type_name
    if kind == "structure":
        if depth > 3:
            return {}
        return {name: made(shape.members[name], depth + 1) for name in shape.required_members}
    if kind == "list":
        return [made(shape.member, depth + 1)]
    if kind == "map":
        return {"k": made(shape.value, depth + 1)}
    if kind == "string":
        return shape.enum[0] if shape.enum else "x" * max(1, shape.metadata.get("min", 1))
    if kind == "blob":
        return b"x"
    if kind == "boolean":
        return True
    if kind == "timestamp":
        return 1_800_000_000
    return max(1, shape.metadata.get("min", 1))


told = {}
for service, operations in args["operations"].items():
    client = client_of(service)
    told[service] = {}
    for operation in operations:
        if operation not in client.meta.service_model.operation_names:
            # Newer than this botocore: whoever reads this calls it by hand.
            told[service][operation] = None
            continue
        shape = client.meta.service_model.operation_model(operation).input_shape
        asked = made(shape) if shape else {}
        if operation == "Invoke":
            asked = {"FunctionName": "x"}
        try:
            answer = getattr(client, xform_name(operation))(**asked)
            told[service][operation] = {"request": answer["ResponseMetadata"]["RequestId"], "code": None}
        except botocore.exceptions.ClientError as error:
            response = error.response
            told[service][operation] = {
                "request": response["ResponseMetadata"].get("RequestId"),
                "code": response["Error"]["Code"],
            }
print(json.dumps(told))
