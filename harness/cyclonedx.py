"""CycloneDX's published schema, for the tests of what the image's build writes."""

import json

import jsonschema
from referencing import Registry, Resource

from harness.repository import REPOSITORY

FOLDER = REPOSITORY / "tests/distribution/cyclonedx"


def violations(document: object) -> list[str]:
    """What in a bill of materials is not as CycloneDX 1.6 says; nothing if it is valid."""
    schemas = {file.name: json.loads(file.read_text()) for file in FOLDER.glob("*.schema.json")}
    registry: Registry = Registry()
    for name, schema in schemas.items():
        resource = Resource.from_contents(schema)
        registry = registry.with_resource(schema.get("$id", name), resource)
        # By its own name as well, by which the others refer to it.
        registry = registry.with_resource(f"http://cyclonedx.org/schema/{name}", resource)
    main = schemas["bom-1.6.SNAPSHOT.schema.json"]
    validator = jsonschema.Draft7Validator(main, registry=registry)
    return [f"{'/'.join(map(str, e.path))}: {e.message}" for e in validator.iter_errors(document)]
