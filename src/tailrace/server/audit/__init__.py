"""The audit log: who changed what, when, from where, with which outcome.

Every request that changes something is recorded by the API itself. Whatever changes something without a request calls `Audit.record`; code
that knows more than its request says calls `changed` (`server.db.changes`). Records wait in the metadata database until they stand in the
logstore `internal-operation_log` of the project `tailrace-system`.
"""
