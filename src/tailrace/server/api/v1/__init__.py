"""Our own API under `/api/v1`, described by OpenAPI (`/api/v1/openapi.json`). Requests are signed as those of the SLS API are."""
