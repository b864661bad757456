"""The index of a logstore (sls-api §3.3): what is written is kept word for word, and takes effect as soon as it is built of what is there,
which the answer waits for some seconds."""

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, json_response, ok
from tailrace.server.db.indexing import check_index


async def get_index(call: Call) -> Response:
    logstore = call.logstore()
    if logstore.index is None:
        raise ApiError(404, "IndexConfigNotExist", f"logstore `{logstore.name}` has no index")
    return json_response(
        {"ttl": logstore.ttl, **logstore.index, "index_mode": "v2", "storage": "pg", "lastModifyTime": logstore.index_modified}
    )


async def create_index(call: Call) -> Response:
    logstore, document = call.logstore(), call.json_object()
    check_index(document)
    await call.catalog.create_index(logstore.project, logstore.name, document)
    return ok()


async def replace_index(call: Call) -> Response:
    logstore, document = call.logstore(), call.json_object()
    check_index(document)
    await call.catalog.replace_index(logstore.project, logstore.name, document)
    return ok()


async def delete_index(call: Call) -> Response:
    logstore = call.logstore()
    await call.catalog.replace_index(logstore.project, logstore.name, None)
    return ok()


ROUTES = (
    Route("GET", "/logstores/{logstore}/index", "log:GetIndex", get_index),
    Route("POST", "/logstores/{logstore}/index", "log:CreateIndex", create_index),
    Route("PUT", "/logstores/{logstore}/index", "log:UpdateIndex", replace_index),
    Route("DELETE", "/logstores/{logstore}/index", "log:DeleteIndex", delete_index),
)
