"""An XForm compiled into what checking, deriving and filling in need."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from posixpath import commonpath, normpath
from types import MappingProxyType

from lxml import etree

from forms.findings import Faulty, Finding
from forms.form import ENTITIES_NS, METADATA_PRELOADS, Choice, EntityDeclaration, Field
from forms.xforms.circles import circles
from forms.xforms.model import ITEXT, Action, Bind, Form, Itemset
from forms.xforms.xml import local_name, parser, strip_namespaces
from forms.xpath.context import ListInside
from forms.xpath.expressions import Expression, compile_node
from forms.xpath.shape import Kind, Shape
from forms.xpath.syntax import Call, Node, Number, Operation, Path, Step, Text, Variable, parse, words_of

__all__ = ["Action", "Bind", "Form", "Itemset", "compile_form"]

_LONGEST_NAME = 500  # it stands in indexes beside other names
_XF = "{http://www.w3.org/2002/xforms}"
_H = "{http://www.w3.org/1999/xhtml}"
_JR = "{http://openrosa.org/javarosa}"
_ODK = "{http://www.opendatakit.org/xforms}"
_ENTITIES = f"{{{ENTITIES_NS}}}"
_CONTROLS = {"input", "select", "select1", "upload", "trigger", "range", "rank", "secret"}
_ACTIONS = {"setvalue", "setgeopoint", "recordaudio"}
_TYPES = {
    "int": "int",
    "integer": "int",
    "long": "int",
    "decimal": "decimal",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "dateTime": "dateTime",
    "geopoint": "geopoint",
    "geotrace": "geotrace",
    "geoshape": "geoshape",
    "binary": "binary",
    "barcode": "barcode",
    "rank": "rank",
}
_NAME = re.compile(r"[\w.-]+")
_PREFIX = re.compile(r"(?<![^/@])[\w.-]+:")
# What a question without a type of its own holds once it was calculated.
_STORED = {Kind.NUMBER: Kind.DECIMAL, Kind.NUMERIC: Kind.NUMERIC, Kind.DECIMAL: Kind.DECIMAL, Kind.BOOLEAN: Kind.TRUTH}
_STORED |= {Kind.TRUTH: Kind.TRUTH, Kind.DATE: Kind.DATE, Kind.ANY: Kind.TEXT}


def compile_form(xform: bytes, renames: Mapping[str, str] | None = None) -> Form:
    """`renames` gives path in this version → identity. Raises Faulty with everything that is wrong."""
    try:
        document = etree.fromstring(xform, parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        said = getattr(error, "msg", None) or error  # without where the parser thinks that it found it
        raise Faulty([Finding(f"This is not a readable XForm: {said}.")]) from error
    if document.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise Faulty([Finding("The XForm has a DOCTYPE, which is not taken.", "Take it out.")])
    model = document.find(f"{_H}head/{_XF}model")
    primary = model.find(f"{_XF}instance") if model is not None else None
    if model is None or primary is None or len(primary) == 0:
        raise Faulty([Finding("This is not an XForm: it has no model with an instance.")])
    return _Compiler(xform, document, model, primary[0], renames or {}).form()


class _Compiler:
    def __init__(
        self,
        xform: bytes,
        document: etree._Element,
        model: etree._Element,
        primary: etree._Element,
        renames: Mapping[str, str],
    ) -> None:
        self.xform = xform
        self.document = document
        self.model = model
        self.primary = primary
        self.renames = renames
        self.findings: list[Finding] = []
        self.root_name = local_name(primary.tag)
        self.texts, self.languages, self.default_language = _translations(model)
        named = (bind for bind in model.iterchildren(f"{_XF}bind") if bind.get("id"))
        self.named = {bind.get("id"): self.path(bind.get("nodeset", "")) for bind in named}
        self.controls = {self.place(c): c for c in self.body() if local_name(c.tag) in _CONTROLS}
        groups = [(self.place(g), self.label(g)) for g in self.body() if local_name(g.tag) == "group"]
        self.groups = {path for path, _ in groups}
        # A repeat is called by the group around it, which has its path.
        self.headings = {path: label for path, label in groups if label}
        self.repeats = tuple(self.place(r) for r in self.body() if local_name(r.tag) == "repeat")
        self.bind_elements = self.by_path(model.iterchildren(f"{_XF}bind"), "nodeset")
        self.alike = self.in_the_same_words()
        self.root = _template(primary)
        self.paths = dict(_paths(self.root, "/data"))
        self.secondary, self.outside = self.instances()
        self.shape = self.shaped()

    def form(self) -> Form:
        itemsets = self.itemsets()
        self.shape = self.shaped(itemsets)
        calculations = self.calculations()
        binds = {path: self.bind(path, element, calculations) for path, element in self.bind_elements.items()}
        self.findings += self.circles(binds)
        fields = {f.path: f for f in self.fields(binds, itemsets)}
        form = Form(
            form_id=self.primary.get("id", ""),
            version=self.primary.get("version", ""),
            title=str(self.document.findtext(f"{_H}head/{_H}title") or self.primary.get("id", "")),
            xform=self.xform,
            languages=self.languages,
            default_language=self.default_language,
            fields=fields,
            by_identity={field.identity: field for field in fields.values()},
            repeats=self.repeats,
            headings=self.headings,
            choices=self.choices(itemsets),
            entities=tuple(self.entities(binds)),
            entities_version=self.model.get(f"{_ENTITIES}entities-version"),
            root=self.root,
            binds=binds,
            calculations=tuple(binds[path] for path in calculations),
            actions=tuple(self.actions()),
            itemsets=itemsets,
            shape=self.shape,
            secondary=self.secondary,
            texts=self.texts,
            renames=self.renames,
        )
        if not form.form_id:
            self.findings.append(Finding("The XForm has no id.", "Give the form a form_id in the settings."))
        for what, text in (("id", form.form_id), ("version", form.version)):
            if len(text.encode()) > _LONGEST_NAME:
                self.findings.append(Finding(f"The form's {what} is longer than {_LONGEST_NAME} bytes.", "Shorten it."))
        if self.findings:
            raise Faulty(self.findings)
        return form

    # --- what there is --------------------------------------------------------------------------------------------

    def body(self) -> Iterator[etree._Element]:
        body = self.document.find(f"{_H}body")
        return body.iterdescendants() if body is not None else iter(())

    def path(self, written: str) -> str:
        """`/visit/people/x:age` → `/data/people/age`, and `people/x:age` too: binds may be written from the root."""
        plain = _PREFIX.sub("", written.strip())
        if plain and not plain.startswith("/"):
            return normpath(f"/data/{plain}")
        _, _, rest = plain.lstrip("/").partition("/")
        return "/data/" + rest if rest else "/data"

    def place(self, element: etree._Element) -> str:
        """The path of a control, a group or a repeat, which may be written from the group around it, or as a bind's."""
        written = (self.referred(element) or "").strip()
        if not written or written.startswith("/"):
            return self.path(written)
        around = next(filter(self.referred, element.iterancestors(f"{_XF}group", f"{_XF}repeat")), None)
        return normpath(f"{self.place(around) if around is not None else '/data'}/{_PREFIX.sub('', written)}")

    def referred(self, element: etree._Element) -> str | None:
        return element.get("ref") or element.get("nodeset") or self.named.get(element.get("bind", ""))

    def by_path(self, elements: Iterator[etree._Element], attribute: str) -> dict[str, etree._Element]:
        return {self.path(element.get(attribute, "")): element for element in elements}

    def instances(self) -> tuple[dict[str, ListInside], dict[str, str]]:
        inside, outside = {}, {}
        for instance in list(self.model.iterchildren(f"{_XF}instance"))[1:]:
            name, source = instance.get("id", ""), instance.get("src")
            if source is not None:
                outside[name] = source.rpartition("/")[2].rpartition(".")[0] or name
            elif len(instance):
                root = copy.deepcopy(instance[0])
                strip_namespaces(root)
                inside[name] = ListInside(root)
        return inside, outside

    def shaped(self, itemsets: Mapping[str, Itemset] = MappingProxyType({})) -> Shape:
        types = {"/data": "", **dict.fromkeys(self.paths, "")}
        for path, element in self.bind_elements.items():
            types[path] = _plain_type(element)
        return Shape(
            self.root_name,
            types,
            frozenset(self.repeats),
            frozenset(self.secondary),
            self.outside,
            {path: itemset.list_name for path, itemset in itemsets.items() if itemset.list_name},
            late=frozenset(
                path for path, bind in self.bind_elements.items() if bind.get(f"{_JR}preloadParams") == "end"
            ),
            ambiguous=self.ambiguous(itemsets),
            filled=frozenset(name for name, said in self.texts.items() if any("${" in text for text in said.values())),
            groups=frozenset(path.rpartition("/")[0] for path in types),
        )

    def ambiguous(self, itemsets: Mapping[str, Itemset]) -> frozenset[str]:
        """The selects of which a value alone does not tell the label; each list is looked at once."""
        filtered = {path: (one.list_name, one.value) for path, one in itemsets.items() if one.chosen is not None}
        unclear = {listed for listed in set(filtered.values()) if self.leaves_open(*listed)}
        return frozenset(path for path, listed in filtered.items() if listed in unclear)

    def leaves_open(self, list_name: str | None, column: str) -> bool:
        """Whether the choices are answers to another question, what is stored is worked out, or those of one value are
        told apart by the filter alone (`allow_choice_duplicates`)."""
        if list_name is None or not _NAME.fullmatch(column):
            return True
        listed = self.secondary.get(list_name)
        values = [item.findtext(column) for item in listed.root.iterchildren("item")] if listed is not None else []
        return len(set(values)) < len(values)

    def repeat_around(self, path: str) -> str | None:
        around = [repeat for repeat in self.repeats if path.startswith(repeat + "/")]
        return max(around, key=len, default=None)

    # --- rules ----------------------------------------------------------------------------------------------------

    def bind(self, path: str, element: etree._Element, calculations: Mapping[str, Expression]) -> Bind:
        if path not in self.paths and "/@" not in path:
            self.findings.append(Finding("A bind is about something that the instance does not have.", "", path))
        readonly = element.get("readonly")
        return Bind(
            path=path,
            type=_plain_type(element),
            required=self.rule(path, element, "required"),
            relevant=self.rule(path, element, "relevant"),
            constraint=self.rule(path, element, "constraint"),
            calculate=calculations.get(path),
            readonly=readonly is not None and readonly.replace(" ", "") == "true()",
            asked=path in self.controls,
            preload=element.get(f"{_JR}preload"),
            preload_params=element.get(f"{_JR}preloadParams"),
            required_messages=self.message(element, "requiredMsg"),
            constraint_messages=self.message(element, "constraintMsg"),
        )

    def rule(self, path: str, element: etree._Element, name: str, *, again: bool = False) -> Expression | None:
        text = element.get(name)
        expression = self.expression(text, path, name, again=again) if text and text.strip() else None
        never = expression is not None and expression.constant is False and name == "required"
        always = expression is not None and expression.constant is True and name in ("relevant", "constraint")
        return None if never or always else expression

    def expression(self, text: str, path: str, name: str, *, again: bool = False) -> Expression | None:
        try:
            node = parse(text)
            alike = self.alike.get((name, words_of(text)), ())
            return compile_node(node, text, self.shape, path, commonpath([path, *alike]))
        except Faulty as faulty:
            if not again:
                self.fault(faulty, path, name)
            return None

    def in_the_same_words(self) -> dict[tuple[str, tuple[str, ...]], list[str]]:
        """Which nodes calculate the same, or hang on the same. JavaRosa works that out once; absolute paths in it then
        mean the iteration around all of them."""
        alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for path, element in self.bind_elements.items():
            for name in ("calculate", "relevant"):
                with suppress(Faulty):
                    if text := element.get(name):
                        alike.setdefault((name, words_of(text)), []).append(path)
        return alike

    def fault(self, faulty: Faulty, path: str, name: str) -> None:
        column = "calculation" if name == "calculate" else name
        self.findings += [Finding(f.fault, f.remedy, path, column=column) for f in faulty.findings]

    def message(self, element: etree._Element, name: str) -> Mapping[str, str]:
        return self.text(element.get(f"{_JR}{name}"))

    def text(self, written: str | None) -> Mapping[str, str]:
        """By language: of an itext reference, or of a plain text."""
        if not written:
            return {}
        if written.startswith("jr:itext("):
            return self.texts.get(written[len("jr:itext(") :].rstrip(") ").strip("'\""), {})
        return {self.default_language: written}

    def calculations(self) -> dict[str, Expression]:
        """By path, each after those that it reads. What a calculation gives decides what its question holds, so each is
        compiled once more when those it reads are known."""
        first = {
            path: expression
            for path, element in self.bind_elements.items()
            if (expression := self.rule(path, element, "calculate")) is not None
        }
        kinds: dict[str, Kind] = {}
        self.shape = replace(self.shape, kinds=kinds)
        last: dict[str, Expression] = {}
        for path in self.ordered(first):
            last[path] = self.rule(path, self.bind_elements[path], "calculate", again=True) or first[path]
            stored = _STORED.get(last[path].kind)
            if stored and self.shape.types[path] == "string":
                kinds[path] = stored
        return last

    def ordered(self, calculated: Mapping[str, Expression]) -> tuple[str, ...]:
        """In document order as far as dependencies allow."""
        order: TopologicalSorter[str] = TopologicalSorter()
        for path, expression in calculated.items():
            order.add(path, *(other for other in calculated if other in expression.depends_on and other != path))
        try:
            return tuple(order.static_order())
        except CycleError:  # reported with all other circles
            return tuple(calculated)

    def circles(self, binds: Mapping[str, Bind]) -> list[Finding]:
        rules = []
        for path, bind in binds.items():
            readonly = self.rule(path, self.bind_elements[path], "readonly", again=True)
            columns = ("relevant", bind.relevant), ("calculation", bind.calculate), ("required", bind.required)
            rules += [
                (path, column, expression)
                for column, expression in (*columns, ("read_only", readonly))
                if expression is not None
            ]
        return circles(rules, [*self.paths, *binds])

    def actions(self) -> Iterator[Action]:
        for element in self.document.iter():
            name = local_name(element.tag)
            if name not in _ACTIONS:
                continue
            path, text = self.path(element.get("ref", "")), element.get("value") or _quoted(element.text)
            parent = element.getparent()
            trigger = self.place(parent) if parent is not None and local_name(parent.tag) in _CONTROLS else None
            yield Action(
                name,
                path,
                tuple(element.get("event", "").split()),
                self.expression(text, path, "default") if text and name == "setvalue" else None,
                trigger,
            )

    # --- choices --------------------------------------------------------------------------------------------------

    def itemsets(self) -> dict[str, Itemset]:
        found = {path: self.itemset(path, control) for path, control in self.controls.items()}
        return {path: itemset for path, itemset in found.items() if itemset is not None}

    def itemset(self, path: str, control: etree._Element) -> Itemset | None:
        """None for what has no choices, and for choices that an appearance looks up in its own way."""
        if "search(" in control.get("appearance", ""):
            return None
        element = control.find(f"{_XF}itemset")
        if element is None:
            return Itemset(path, False, "name", "label", None) if control.find(f"{_XF}item") is not None else None
        value, label = _column(element, "value", "name"), _column(element, "label", "label")
        shown = label if _NAME.fullmatch(label) or ITEXT.fullmatch(label) else "label"
        try:
            return self.nodeset(path, parse(element.get("nodeset", "")), value, shown)
        except Faulty as faulty:
            self.fault(faulty, path, "choice_filter")
            return None

    def nodeset(self, path: str, node: Node, column: str, label: str) -> Itemset:
        if isinstance(node, Call) and node.name == "randomize" and node.arguments:
            node = node.arguments[0]
        if not isinstance(node, Path) or not node.steps:
            raise Faulty([Finding("Choices come from a list or from a repeat.")])
        *before, last = node.steps
        value = parse(column)
        wanted = Operation("=", value, Variable("chosen"))
        filtered = Step(last.axis, last.test, (wanted, *last.predicates))
        among = Operation(">", Call("count", (Path(node.start, (*before, filtered)),)), Number(0.0))
        given = Path(node.start, (*node.steps, *value.steps)) if isinstance(value, Path) else node
        match node.start:
            case Call("instance", (Text(name),)):
                external = name not in self.secondary
                listed = self.outside.get(name, name) if external else name
                usual = len(node.steps) == 2 and last.test == "item" and _NAME.fullmatch(column)
                plain = usual and not any(step.predicates for step in node.steps)
                chosen = compile_node(among, path, self.shape, path)  # also finds what is wrong with it
                if plain:
                    return Itemset(listed, external, column, label, None)
                passing = compile_node(given, path, self.shape, path)
                return Itemset(listed, external, column, label, chosen, passing=passing)
        asked = compile_node(among, path, self.shape, path)
        return Itemset(None, False, column, label, asked, compile_node(given, path, self.shape, path))

    def choices(self, itemsets: Mapping[str, Itemset]) -> dict[str, Mapping[str, Choice]]:
        columns = {i.list_name: (i.value, i.label) for i in itemsets.values()}
        choices: dict[str, Mapping[str, Choice]] = {
            name: dict(self.choices_of(inside.root, *columns.get(name, ("name", "label"))))
            for name, inside in self.secondary.items()
        }
        for path, itemset in itemsets.items():
            if itemset.list_name == path:
                choices[path] = dict(self.inline(self.controls[path]))
        return choices

    def choices_of(self, root: etree._Element, column: str, label: str) -> Iterator[tuple[str, Choice]]:
        translated = ITEXT.fullmatch(label)
        key, plain = (translated[1], "label") if translated else ("itextId", label)
        for item in root.iterchildren("item"):
            value, identifier = item.findtext(column) if _NAME.fullmatch(column) else None, item.findtext(key)
            if value is not None:
                labels = self.texts.get(identifier, {}) if identifier else self.text(item.findtext(plain))
                yield value, Choice(value, labels)

    def inline(self, control: etree._Element) -> Iterator[tuple[str, Choice]]:
        for item in control.iterchildren(f"{_XF}item"):
            value = item.findtext(f"{_XF}value") or ""
            yield value, Choice(value, self.label(item))

    def label(self, element: etree._Element) -> Mapping[str, str]:
        label = element.find(f"{_XF}label")
        if label is None:
            return {}
        return self.text(label.get("ref")) or self.text(text_written(label))

    # --- questions ------------------------------------------------------------------------------------------------

    def fields(self, binds: Mapping[str, Bind], itemsets: Mapping[str, Itemset]) -> Iterator[Field]:
        captured = {self.path(e.get("ref", "")) for e in self.document.iter(f"{_ODK}setgeopoint", f"{_ODK}recordaudio")}
        for path, element in self.paths.items():
            within = path.split("/")
            if len(element) or path in self.groups or {"entity", "meta"} <= set(within):
                continue
            bind, itemset = binds.get(path) or Bind(path, "string"), itemsets.get(path)
            yield Field(
                path=path,
                identity=self.renames.get(path, path),
                name=within[-1],
                type=self.type_of(path, bind),
                repeat=self.repeat_around(path),
                labels=self.label(self.controls[path]) if path in self.controls else {},
                calculated=bind.calculate is not None,
                metadata="meta" in within[:-1] or bind.preload in METADATA_PRELOADS or path in captured,
                itemset=itemset.list_name if itemset else None,
                external=itemset.external if itemset else False,
                readonly=bind.readonly,
            )

    def type_of(self, path: str, bind: Bind) -> str:
        control = local_name(self.controls[path].tag) if path in self.controls else ""
        if control in ("select", "select1", "rank"):
            return control
        return "binary" if control == "upload" else _TYPES.get(bind.type, "string")

    def entities(self, binds: Mapping[str, Bind]) -> Iterator[EntityDeclaration]:
        for path, element in self.paths.items():
            if not path.endswith("/meta/entity"):
                continue
            repeat, label = self.repeat_around(path), binds.get(path + "/label")
            saved = {
                bind.get(f"{_ENTITIES}saveto", ""): where
                for where, bind in self.bind_elements.items()
                if bind.get(f"{_ENTITIES}saveto") and self.entity_of(where) == path
            }
            calculate = label.calculate.text.strip() if label and label.calculate else None
            yield EntityDeclaration(element.get("dataset", ""), path, repeat, saved, calculate)

    def entity_of(self, path: str) -> str | None:
        """The entity that a question is saved to: that of the innermost group or repeat around it that has one."""
        while path:
            path = path.rpartition("/")[0]
            if path + "/meta/entity" in self.paths:
                return path + "/meta/entity"
        return None


def _column(itemset: etree._Element, name: str, otherwise: str) -> str:
    """Of each item what is stored, or shown."""
    child = itemset.find(f"{_XF}{name}")
    return child.get("ref", otherwise).strip() if child is not None else otherwise


def _template(primary: etree._Element) -> etree._Element:
    root = copy.deepcopy(primary)
    for repeated in list(root.iter()):
        if repeated.get(f"{_JR}template") is None:
            continue
        following = repeated.getnext()
        parent = repeated.getparent()
        if following is not None and following.tag == repeated.tag and parent is not None:
            parent.remove(repeated)
        else:
            del repeated.attrib[f"{_JR}template"]
    strip_namespaces(root)
    return root


def _paths(element: etree._Element, path: str) -> Iterator[tuple[str, etree._Element]]:
    for child in element:
        below = f"{path}/{child.tag}"
        yield below, child
        yield from _paths(child, below)


def _plain_type(bind: etree._Element) -> str:
    return (bind.get("type") or "string").rpartition(":")[2]


def _translations(model: etree._Element) -> tuple[dict[str, dict[str, str]], tuple[str, ...], str]:
    texts: dict[str, dict[str, str]] = {}
    languages, default = [], ""
    for translation in model.iterfind(f"{_XF}itext/{_XF}translation"):
        language = translation.get("lang", "")
        languages.append(language)
        if translation.get("default") is not None:
            default = language
        for text in translation.iterchildren(f"{_XF}text"):
            for value in text.iterchildren(f"{_XF}value"):
                if value.get("form") is None and (written := text_written(value)) not in ("", "-"):
                    texts.setdefault(text.get("id", ""), {})[language] = written
    return texts, tuple(languages), default or (languages[0] if languages else "")


def text_written(element: etree._Element) -> str:
    """The text, with `${name}` where the form puts an answer into it."""
    parts = [element.text or ""]
    for child in element:
        if local_name(child.tag) == "output":
            parts.append("${" + child.get("value", "").strip().rpartition("/")[2] + "}")
        else:
            parts.append(text_written(child))
        parts.append(child.tail or "")
    return "".join(parts).strip()


def _quoted(text: str | None) -> str | None:
    """A value written as the action's content is a text, not an expression."""
    if not text or not text.strip():
        return None
    return f'"{text}"' if '"' not in text else f"'{text}'"
