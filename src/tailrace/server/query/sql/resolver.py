"""Gives every name in a checked SELECT its meaning, and rewrites what Presto and the engine understand differently.

Names resolve as in Presto: in WHERE, GROUP BY and the select list a column of the tables comes before an alias, in ORDER BY it is the other
way round. Every column reference leaves here qualified and spelt as it was defined, so that the engine has nothing left to guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from tailrace.errors import ApiError
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.sql.allowlist import is_plain_name, refuse, shown
from tailrace.server.query.sql.comparing import SHIFT
from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.functions import AGGREGATES
from tailrace.server.query.sql.mixed import in_common, widen
from tailrace.server.query.sql.relations import Column, Relation, VirtualTable, unresolved
from tailrace.server.query.sql.rewriting import settle
from tailrace.server.query.sql.special import set_type, type_of
from tailrace.server.store.port import TAG_PREFIX

INNER_PREFIX = "__"
"""Names that begin so are ours; a user's own alias may not, except for the reserved fields' names."""


@dataclass(slots=True)
class _Scope:
    """What one SELECT can see."""

    parent: "_Scope | None" = None
    sources: dict[str, Relation] = field(default_factory=dict)
    """By the name under which the statement knows it, as the user spelt it."""
    aliases: Relation = field(default_factory=lambda: Relation([]))
    shared: dict[str, str] = field(default_factory=dict)
    """Columns of JOIN … USING: no longer ambiguous, the first source has them."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Parameters of the lambdas that enclose the expression, with their names in the emitted statement."""
    alias_first: bool = False
    """Whether a bare name is an alias rather than a column: in HAVING and ORDER BY, outside aggregates."""

    def source(self, name: str) -> tuple[str, Relation] | None:
        return next(((known, relation) for known, relation in self.sources.items() if known.lower() == name.lower()), None)

    def add(self, name: str, relation: Relation) -> None:
        """Raises ApiError(400, ParameterInvalid) where there is one of that name."""
        if self.source(name):
            raise refuse(f"two tables are called `{name}`: give one of them another alias")
        self.sources[name] = relation


class Resolver:
    """Works on one statement, in place."""

    def __init__(self, tables: Mapping[str, VirtualTable], binder: Binder) -> None:
        self._tables = {name.lower(): table for name, table in tables.items()}
        self._binder = binder
        self._ctes: list[dict[str, Relation]] = []
        self._earlier: dict[tuple[str, int], VirtualTable] = {}
        self._lambdas = 0
        self.used: dict[str, VirtualTable] = {}
        """The virtual tables that the statement selects from, by inner name."""

    def query(self, node: exp.Expr, parent: _Scope | None = None) -> Relation:
        """Resolve a SELECT, a set operation or a sub-query; what it gives back."""
        if isinstance(node, exp.Subquery):
            return self.query(node.this, parent)
        if not isinstance(node, exp.Select | exp.SetOperation):
            raise _no_source(node)
        self._ctes.append({})
        for cte in node.args["with_"].expressions if node.args.get("with_") else []:
            self._define(cte, parent)
        relation = self._select(node, parent) if isinstance(node, exp.Select) else self._set_operation(node, parent)
        self._ctes.pop()
        return relation

    def _define(self, cte: exp.Expr, parent: _Scope | None) -> None:
        name = cte.alias
        if name.lower() in self._tables or name.startswith(INNER_PREFIX):
            raise refuse(f"`{name}` is reserved and cannot name a sub-query")
        relation = self.query(cte.this, parent)
        self._ctes[-1][name.lower()] = _renamed(relation, cte.args["alias"])

    def _set_operation(self, node: exp.Expr, parent: _Scope | None) -> Relation:
        left = self.query(node.this, parent)
        right = self.query(node.args["expression"], parent)
        if len(left.columns) != len(right.columns):
            raise refuse(f"both sides of {node.key.upper()} need as many columns: {len(left.columns)} and {len(right.columns)}")
        columns = [_in_both(node, place, pair) for place, pair in enumerate(zip(left.columns, right.columns, strict=True))]
        both = Relation(columns)
        self._order(node, _Scope(parent, aliases=both, alias_first=True))
        return both

    def _select(self, select: exp.Select, parent: _Scope | None) -> Relation:
        if not select.expressions:
            raise refuse("SELECT needs at least one column")
        scope = _Scope(parent)
        if select.args.get("from_"):
            self._source(select.args["from_"].this, scope)
        for join in select.args.get("joins") or []:
            self._join(join, scope)
        self._expand_stars(select, scope)
        for position, item in enumerate(list(select.expressions)):
            self._projection(item, position, scope)
        for clause in ("where", "group"):
            if select.args.get(clause):
                self._children(select.args[clause], scope)
        scope.alias_first = True
        if select.args.get("having"):
            self._children(select.args["having"], scope)
        self._order(select, scope)
        return Relation(scope.aliases.columns)

    # --- where rows come from -------------------------------------------------------------------------------------------------------
    def _source(self, node: exp.Expr, scope: _Scope) -> None:
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            relation = self.query(node.this, scope.parent)
            if not node.alias:
                node.set("alias", exp.TableAlias(this=_identifier(f"__q{len(scope.sources)}")))
            scope.add(node.alias, _renamed(relation, node.args["alias"]))
        elif isinstance(node, exp.Unnest):
            self._unnest(node, scope)
        else:
            raise _no_source(node)

    def _table(self, node: exp.Table, scope: _Scope) -> None:
        name, alias = node.name, node.alias or node.name
        relation = next((ctes[name.lower()] for ctes in reversed(self._ctes) if name.lower() in ctes), None)
        if not isinstance(node.this, exp.Identifier):
            raise _no_source(node)
        shift = node.meta.get(SHIFT, 0)
        if relation is not None and shift:
            raise refuse(f"`compare` cannot look into `{name}` of WITH: write it as a sub-query")
        if relation is None:
            table = self._tables.get(name.lower())
            if table is None:
                raise unresolved("table", name, [*self._tables])
            table = self._earlier.setdefault((table.inner_name, shift), table.earlier(shift)) if shift else table
            self.used[table.inner_name] = relation = table
            node.set("this", _identifier(table.inner_name))
        scope.add(alias, relation)
        node.set("alias", exp.TableAlias(this=_identifier(alias)))

    def _unnest(self, node: exp.Unnest, scope: _Scope) -> None:
        for expression in list(node.expressions):
            self._expression(expression, scope)
        columns = [identifier.name for identifier in node.args["alias"].args.get("columns") or []] if node.args.get("alias") else []
        if not columns or not node.alias:
            raise refuse("UNNEST needs an alias with column names: `UNNEST(…) AS t(x)`")
        ordinality = node.args.get("offset")
        if isinstance(ordinality, exp.Identifier):
            columns.append(ordinality.name)
        scope.add(node.alias, Relation([Column(name, name) for name in columns]))

    def _join(self, join: exp.Join, scope: _Scope) -> None:
        known = dict(scope.sources)
        self._source(join.this, scope)
        shared: list[exp.Identifier] = join.args.get("using") or []
        if shared:
            added = next(name for name in scope.sources if name not in known)
            conditions = [
                exp.EQ(this=_column(name.name, _owner(name.name, known)), expression=_column(name.name, added)) for name in shared
            ]
            join.set("using", None)
            join.set("on", exp.and_(*conditions, copy=False))
            scope.shared.update({name.name.lower(): added for name in shared})
        if join.args.get("on"):
            self._expression(join.args["on"], scope)

    # --- what is selected -----------------------------------------------------------------------------------------------------------
    def _expand_stars(self, select: exp.Select, scope: _Scope) -> None:
        items: list[exp.Expr] = []
        for item in select.expressions:
            if not _is_star(item):
                items.append(item)
                continue
            wanted = item.table if isinstance(item, exp.Column) else ""
            found = scope.source(wanted) if wanted else None
            if wanted and found is None:
                raise unresolved("table", wanted, [*scope.sources])
            sources = [found] if found else list(scope.sources.items())
            items += [_column(column.name, name) for name, relation in sources for column in relation.columns]
        select.set("expressions", items)

    def _projection(self, item: exp.Expr, position: int, scope: _Scope) -> None:
        if isinstance(item, exp.Alias):
            name = item.alias
            _check_alias(name)
        else:
            name = self._natural_name(item, position, scope)
            holder = exp.Alias()
            item.replace(holder)
            holder.set("this", item)
            item = holder
        if scope.aliases.find(name) is not None:
            name = f"_col{position}"
        inner = name if is_plain_name(name) and not _is_reserved(name) else f"{INNER_PREFIX}c{position}"
        item.set("alias", _identifier(inner))
        self._expression(item.this, scope)
        scope.aliases.columns.append(Column(name, inner, type_of(item.this)))

    def _natural_name(self, item: exp.Expr, position: int, scope: _Scope) -> str:
        """Presto calls what has no name `_col0`, `_col1`, … by position."""
        if not isinstance(item, exp.Column):
            return f"_col{position}"
        _, column = self._find(item, scope)
        return column.name

    def _order(self, node: exp.Expr, scope: _Scope) -> None:
        for clause in ("limit", "offset"):
            if node.args.get(clause) and not _is_count(node.args[clause].expression):
                raise refuse(f"{clause.upper()} needs a number")
        if node.args.get("order"):
            self._children(node.args["order"], scope)

    # --- expressions ----------------------------------------------------------------------------------------------------------------
    def _children(self, node: exp.Expr, scope: _Scope) -> None:
        for child in list(node.iter_expressions()):
            self._expression(child, scope)

    def _expression(self, node: exp.Expr, scope: _Scope) -> None:
        match node:
            case exp.Column():
                self._column(node, scope)
            case exp.Query():
                relation = self.query(node, scope)
                set_type(node, relation.columns[0].type if relation.columns else Type.UNKNOWN)
            case exp.Lambda():
                self._lambda(node, scope)
            case exp.Anonymous() if node.this.lower() in AGGREGATES and scope.alias_first:
                scope.alias_first = False
                self._expression(node, scope)
                scope.alias_first = True
            case exp.Identifier() if node.name in scope.parameters:
                node.replace(exp.Var(this=scope.parameters[node.name]))
            case exp.Identifier() | exp.DataType() | exp.Var():
                pass
            case _:
                self._children(node, scope)
                settle(node, self._binder)

    def _column(self, node: exp.Column, scope: _Scope) -> None:
        source, column = self._find(node, scope)
        if source is None:
            resolved: exp.Expr = exp.Var(this=column.inner)
        else:
            resolved = exp.column(_identifier(column.inner), _identifier(source) if source else None)
        set_type(resolved, column.type)
        node.replace(resolved)

    def _lambda(self, node: exp.Lambda, scope: _Scope) -> None:
        """Parameters get names of ours: the engine wants them without quotes."""
        before = dict(scope.parameters)
        for parameter in list(node.expressions):
            inner = scope.parameters[parameter.name] = f"{INNER_PREFIX}p{self._lambdas}"
            self._lambdas += 1
            parameter.replace(exp.Var(this=inner))
        self._expression(node.this, scope)
        scope.parameters = before

    def _find(self, node: exp.Column, scope: _Scope) -> tuple[str | None, Column]:
        """The name of the source ("" for an alias, None for a lambda's parameter) and the column."""
        if node.args.get("db"):
            raise unresolved("column", node.sql(), _names(scope))
        here: _Scope | None = scope
        while here is not None:
            found = _in_scope(node, here)
            if found is not None:
                return found
            here = here.parent
        error = unresolved("column", f"{node.table}.{node.name}" if node.table else node.name, _names(scope))
        if isinstance(node.this, exp.Identifier) and node.this.args.get("quoted") and not node.table:
            raise refuse(f"{error.message} (text stands in single quotes: '{node.name}')")
        raise error


def _in_scope(node: exp.Column, scope: _Scope) -> tuple[str | None, Column] | None:
    if node.table:
        source = scope.source(node.table)
        column = source[1].find(node.name) if source else None
        if source is None or column is None:
            return None
        source[1].use(column)
        return source[0], column
    if node.name in scope.parameters:
        return None, Column(node.name, scope.parameters[node.name])
    alias = scope.aliases.find(node.name)
    if alias is not None and scope.alias_first:
        return "", alias
    found = [(name, column) for name, relation in scope.sources.items() if (column := relation.find(node.name))]
    if len(found) > 1 and node.name.lower() not in scope.shared:
        raise refuse(f"column `{node.name}` is ambiguous: write `{found[0][0]}.{node.name}` or `{found[1][0]}.{node.name}`")
    if found:
        name, column = found[0]
        scope.sources[name].use(column)
        return name, column
    return ("", alias) if alias else None


def _in_both(union: exp.Expr, place: int, columns: tuple[Column, Column]) -> Column:
    """The column of a set operation, with the name that the left side gives it. Whole numbers beside fractions become fractions."""
    left, right = columns
    kind = in_common([left.type, right.type])
    if kind is Type.DOUBLE and left.type is not right.type:
        _widen(union, place)
    return replace(left, type=kind)


def _widen(query: exp.Expr, place: int) -> None:
    if isinstance(query, exp.Subquery):
        _widen(query.this, place)
    elif isinstance(query, exp.SetOperation):
        _widen(query.this, place)
        _widen(query.args["expression"], place)
    else:
        widen(query.expressions[place].this)


def _owner(name: str, sources: Mapping[str, Relation]) -> str:
    owner = next((known for known, relation in sources.items() if relation.find(name)), None)
    if owner is None:
        raise unresolved("column", name, [column.name for relation in sources.values() for column in relation.columns])
    return owner


def _names(scope: _Scope) -> list[str]:
    return [column.name for relation in scope.sources.values() for column in relation.columns] + [
        each.name for each in scope.aliases.columns
    ]


def _renamed(relation: Relation, alias: exp.Expr) -> Relation:
    """`AS t(a, b)` gives the columns new names."""
    names = [identifier.name for identifier in alias.args.get("columns") or []]
    if not names:
        return relation
    if len(names) != len(relation.columns):
        raise refuse(f"`{alias.name}` names {len(names)} columns for {len(relation.columns)}")
    return Relation([Column(name, name, column.type) for name, column in zip(names, relation.columns, strict=True)])


def _check_alias(name: str) -> None:
    if _is_reserved(name):
        raise refuse(f"`{name}` cannot be a column's name: names that begin with `{INNER_PREFIX}` are reserved")


def _is_reserved(name: str) -> bool:
    return name.startswith(INNER_PREFIX) and not name.endswith(INNER_PREFIX) and not name.startswith(TAG_PREFIX)


def _no_source(node: exp.Expr) -> ApiError:
    return refuse(f"cannot select from `{shown(node)}`: only logstores and sub-queries have rows")


def _is_star(item: exp.Expr) -> bool:
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def _is_count(item: exp.Expr) -> bool:
    return isinstance(item, exp.Literal) and not item.is_string and item.name.isdigit()


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def _column(name: str, source: str) -> exp.Column:
    return exp.column(_identifier(name), _identifier(source))
