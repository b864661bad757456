"""Who may talk to the server: access keys, agents with what they may do, join tokens. All of it in memory for readers, as in the catalog;
every change goes through the database before anyone sees it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from tailrace.errors import ApiError
from tailrace.server.db import roster_statements as statements
from tailrace.server.db.records import Agent, Grant, Key, Token
from tailrace.server.db.transactions import Transactions


class Roster:
    """Reading never waits and never fails; changing raises ApiError."""

    def __init__(self, transactions: Transactions) -> None:
        self._run = transactions.run
        self._changing = asyncio.Lock()
        self.changes = 0
        """Counts what agents may do more or less, and agents that come and go."""
        self._keys: dict[str, Key] = {}
        self._agents: dict[str, Agent] = {}
        self._grants: dict[str, dict[str, Grant]] = {}
        self._agent_keys: dict[str, set[str]] = {}
        self._tokens: dict[str, Token] = {}

    async def open(self) -> None:
        await self._run(self._load)

    # --- keys -------------------------------------------------------------------------------------------------------------------
    def key(self, key_id: str) -> Key | None:
        return self._keys.get(key_id)

    def admin_key(self) -> Key | None:
        """The oldest one that is enabled."""
        return min((key for key in self._keys.values() if key.kind == "admin" and key.enabled), key=lambda key: key.created, default=None)

    def user_keys(self) -> list[Key]:
        """Those that are no agent's, the newest first."""
        return sorted((key for key in self._keys.values() if key.kind != "agent"), key=lambda key: key.created, reverse=True)

    def agent_keys(self, agent: str, project: str) -> list[Key]:
        """Those of one agent for one project, the newest last."""
        found = (self._keys[key] for key in self._agent_keys.get(agent, ()))
        return sorted((key for key in found if key.project == project), key=lambda key: key.expires or 0)

    async def add_key(self, key: Key, gone: Callable[[Key], bool] = lambda _: False) -> None:
        """Put a key in. Of the same agent and project, those for which `gone` holds stop working."""
        async with self._changing:
            old = [one.id for one in self.agent_keys(key.agent, key.project) if gone(one)] if key.agent else []
            await self._run(statements.replace_keys, old, key)
            self._forget_keys(old)
            self._remember_key(key)

    async def replace_key(self, key: Key) -> None:
        """Its secret is another one now."""
        async with self._changing:
            if key.id not in self._keys:
                raise ApiError(404, "KeyNotExist", f"there is no key `{key.id}`")
            await self._run(statements.replace_keys, [key.id], key)
            self._remember_key(key)

    async def delete_key(self, key_id: str) -> None:
        async with self._changing:
            await self._run(statements.replace_keys, [key_id], None)
            self._forget_keys([key_id])

    def user_deleted(self, name: str) -> None:
        """The accounts have deleted them in the database, and with them their keys."""
        self._forget_keys([key.id for key in self._keys.values() if key.user == name])

    # --- agents -----------------------------------------------------------------------------------------------------------------
    def agent(self, agent_id: str) -> Agent | None:
        return self._agents.get(agent_id)

    def known_agent(self, agent_id: str) -> Agent:
        """Raises ApiError 404 AgentNotExist."""
        agent = self._agents.get(agent_id)
        if agent is None:
            raise ApiError(404, "AgentNotExist", f"there is no agent `{agent_id}`")
        return agent

    def agents(self) -> list[Agent]:
        """By id."""
        return [self._agents[agent] for agent in sorted(self._agents)]

    def grants(self, agent_id: str) -> list[Grant]:
        """By project."""
        found = self._grants.get(agent_id, {})
        return [found[project] for project in sorted(found)]

    def is_granted(self, agent_id: str, project: str) -> bool:
        """Whether an agent may write to a project at all."""
        return project in self._grants.get(agent_id, ())

    async def enrol(self, agent: Agent, grant: Grant, token_id: str = "", now: int = 0) -> None:
        """Put an agent in, or change it, and give it a grant. A token is used up by one. Raises ApiError 401 when that is not possible."""
        async with self._changing:
            token = self._used(token_id, now) if token_id else None
            await self._run(statements.enrol, agent, grant, token)
            self.changes += 1
            self._agents[agent.id] = agent
            self._grants.setdefault(agent.id, {})[grant.project] = grant
            if token is not None:
                self._tokens[token.id] = token

    async def change_agent(self, agent: Agent) -> None:
        async with self._changing:
            await self._run(statements.put_agent, agent)
            self._agents[agent.id] = agent

    async def revoke_agent(self, agent_id: str, now: int) -> None:
        """None of its keys is worth anything any more."""
        async with self._changing:
            await self._drop_keys(replace(self.known_agent(agent_id), revoked=now))

    async def renew_agent(self, agent: Agent) -> None:
        """Its keys stop working, whoever has them; it fetches new ones."""
        async with self._changing:
            await self._drop_keys(agent)

    async def reinstate_agent(self, agent_id: str) -> None:
        async with self._changing:
            agent = replace(self.known_agent(agent_id), revoked=None)
            await self._run(statements.put_agent, agent)
            self.changes += 1
            self._agents[agent_id] = agent

    async def delete_agent(self, agent_id: str) -> None:
        """With its keys and all that it may do. Should it come back, it has to join again, under the same id."""
        async with self._changing:
            self.known_agent(agent_id)
            await self._run(statements.delete_agent, agent_id)
            self.changes += 1
            self._forget_keys(list(self._agent_keys.pop(agent_id, ())))
            del self._agents[agent_id]
            self._grants.pop(agent_id, None)

    async def revoke_grant(self, agent_id: str, project: str) -> None:
        async with self._changing:
            self.known_agent(agent_id)
            if project not in self._grants.get(agent_id, {}):
                raise ApiError(404, "GrantNotExist", f"agent `{agent_id}` may not write to project `{project}` anyway")
            await self._run(statements.delete_grant, agent_id, project)
            self._forget_keys([key.id for key in self.agent_keys(agent_id, project)])
            self.changes += 1
            del self._grants[agent_id][project]

    def project_deleted(self, project: str) -> None:
        """The catalog has deleted it in the database, and with it all that names it."""
        self.changes += 1
        self._forget_keys([key.id for key in self._keys.values() if key.project == project])
        for grants in self._grants.values():
            grants.pop(project, None)
        self._tokens = {token.id: token for token in self._tokens.values() if token.project != project}

    # --- tokens -----------------------------------------------------------------------------------------------------------------
    def token(self, token_id: str) -> Token | None:
        return self._tokens.get(token_id)

    def tokens(self) -> list[Token]:
        """The newest first."""
        return sorted(self._tokens.values(), key=lambda token: token.created, reverse=True)

    async def put_token(self, token: Token) -> None:
        async with self._changing:
            await self._run(statements.put_token, token)
            self._tokens[token.id] = token

    async def revoke_token(self, token_id: str, now: int) -> Token:
        async with self._changing:
            known = self._tokens.get(token_id)
            if known is None:
                raise ApiError(404, "TokenNotExist", f"there is no join token `{token_id}`")
            revoked = replace(known, revoked=known.revoked or now)
            await self._run(statements.put_token, revoked)
            self._tokens[token_id] = revoked
            return revoked

    def _used(self, token_id: str, now: int) -> Token:
        token = self._tokens.get(token_id)
        if token is None or token.revoked is not None or token.expires <= now or token.uses_left == 0:
            raise ApiError(401, "TokenInvalid", "the join token is unknown, used up, expired or revoked")
        return replace(token, used=token.used + 1, uses_left=None if token.uses_left is None else token.uses_left - 1)

    # --- memory -----------------------------------------------------------------------------------------------------------------
    async def _drop_keys(self, agent: Agent) -> None:
        self.changes += 1
        await self._run(statements.delete_agent_keys, agent)
        self._agents[agent.id] = agent
        self._forget_keys(list(self._agent_keys.get(agent.id, ())))

    def _remember_key(self, key: Key) -> None:
        self._keys[key.id] = key
        if key.agent:
            self._agent_keys.setdefault(key.agent, set()).add(key.id)

    def _forget_keys(self, gone: list[str]) -> None:
        for key_id in gone:
            key = self._keys.pop(key_id, None)
            if key is not None and key.agent in self._agent_keys:
                self._agent_keys[key.agent].discard(key_id)

    def _load(self, session: Session) -> None:
        for key in statements.keys(session):
            self._remember_key(key)
        self._agents = {agent.id: agent for agent in statements.agents(session)}
        for grant in statements.grants(session):
            self._grants.setdefault(grant.agent, {})[grant.project] = grant
        self._tokens = {token.id: token for token in statements.tokens(session)}
