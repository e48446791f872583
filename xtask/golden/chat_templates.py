"""Rendered chat templates: the built-in ones, and others that use what templates of published models use.

Writes `chat_templates.json` for `llm-tokenizer`. transformers renders everything. That the built-in formats are those of the models they are
named after is asserted here, with texts from the models' documentation:

- ChatML: <https://github.com/openai/openai-python/blob/v0.28.1/chatml.md>
- Llama 2: <https://huggingface.co/blog/llama2#how-to-prompt-llama-2>
- Llama 3: <https://www.llama.com/docs/model-cards-and-prompt-formats/meta-llama-3/>
- Mistral 7B Instruct v0.3: <https://github.com/mistralai/mistral-common>, `tests/test_tokenize_v3.py`; the place of the system prompt is that of
  `chat_template` in <https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.3/blob/main/tokenizer_config.json>
"""

import datetime

from common import ROOT, output_folder, write_json
from transformers.utils import chat_template_utils

TEMPLATES = ROOT / "crates" / "tokenizer" / "src" / "chat" / "templates"
BUILTIN = ["chatml", "llama-2", "llama-3", "mistral", "alpaca", "plain"]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
NOW = datetime.datetime(2024, 7, 4, 5, 6, 7)


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = FixedClock


def system(text):
    return {"role": "system", "content": text}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **rest):
    return {"role": "assistant", "content": text, **rest}


CONVERSATIONS = {
    "one question": [user("Hello!")],
    "one answer": [user("Hello!"), assistant("Hi there.")],
    "system": [system("You are brief."), user("Hello!")],
    "several turns": [
        system("You are brief.\nAnd kind."),
        user("What is 2 + 2?"),
        assistant("4"),
        user("  And 3 + 3?\n"),
        assistant(" 6 \n"),
        user("Thanks"),
    ],
    "letters of all scripts": [user("Grüße, мир, 世界! 🦊"), assistant("Schöne Grüße — “zurück”"), user("e\u0301\u2028\u00a0x")],
    "marks of templates": [user("{{ x }} {% y %} {# z #} \\n \"quoted\" 'single'"), assistant("<b>&amp;</b>"), user("a\n\n b\tc")],
    "not in turns": [user("a"), user("b")],
    "unknown role": [user("a"), {"role": "tool", "content": "b"}],
    "nothing": [],
}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Gets the \"weather\" <b>now</b> & later; für Köln auch.",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {"type": "string", "description": "City, e.g. Zürich"},
                    "days": {"type": "integer", "minimum": 1, "items": {"type": "string"}, "default": None},
                    "scale": {"type": "number", "enum": [1.0, 0.5, 1e-7, 1e20, -3]},
                },
                "required": ["location"],
                "strict": True,
                "empty": [{}, []],
            },
        },
    },
    {"type": "function", "function": {"name": "stop", "parameters": {"type": "object", "properties": {}}}},
]
CALLS = [
    user("Weather?"),
    assistant(None, tool_calls=[{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": {"location": "Köln", "days": 2}}}]),
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    assistant("It rains.", reasoning="<rain>", tool_calls=None),
]
TURNS = CONVERSATIONS["several turns"]

# Name, template, messages, and what else is given.
FEATURES = [
    ("tools as JSON", "{{ tools | tojson }}", TURNS, {"tools": TOOLS}),
    ("indented tools", "{% for tool in tools %}{{ tool | tojson(indent=4) }}\n{% endfor %}{{ [] | tojson(indent=2) }}{{ [1, [2]] | tojson(indent=0) }}", TURNS, {"tools": TOOLS}),
    ("JSON options", "{{ tools | tojson(ensure_ascii=true, sort_keys=true) }}|{{ tools | tojson(separators=(',', ':')) }}|{{ 'é🦊\x7f\x01\t\"' | tojson(true) }}|{{ [none, true, 1, 1.5, 'a'] | tojson(indent='\t') }}", TURNS, {"tools": TOOLS}),
    ("no tools", "{{ tools is none }} {{ tools is defined }} {{ documents is none }} {% if not tools %}none{% endif %}", TURNS, {}),
    ("documents", "{% for document in documents %}{{ loop.index }}. {{ document['title'] }}: {{ document.text }}\n{% endfor %}", TURNS, {"documents": [{"title": "A", "text": "a"}, {"title": "B", "text": "b"}]}),
    ("loop controls", "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{% if loop.index > 4 %}{% break %}{% endif %}{{ m.role }};{% endfor %}", TURNS, {}),
    ("loop variables", "{% for m in messages %}{{ loop.index0 }}/{{ loop.length }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}{{ loop.previtem.role if loop.previtem }}{{ loop.nextitem.role if loop.nextitem is defined }}{{ loop.cycle('a', 'b') }}\n{% endfor %}", TURNS, {}),
    ("filtered loop", "{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ m.content | trim }}{% else %}none{% endfor %}{% for m in [] %}x{% else %}none{% endfor %}", TURNS, {}),
    ("namespace", "{% set ns = namespace(found=false, count=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.found = true %}{% set ns.count = ns.count + 1 %}{% endif %}{% endfor %}{{ ns.found }} {{ ns.count }}", TURNS, {}),
    ("macros", "{% macro line(role, text='-', end='.') %}{{ role | upper }}: {{ text }}{{ end }}\n{% endmacro %}{% for m in messages %}{{ line(m.role, m.content | trim, end='!') }}{% endfor %}{{ line('x') }}", TURNS, {}),
    ("macro with a caller", "{% macro tag(name) %}<{{ name }}>{{ caller() }}</{{ name }}>{% endmacro %}{% call tag('b') %}{{ messages | length }}{% endcall %}", TURNS, {}),
    ("recursive macro", "{% macro show(value, depth) %}{% if value is mapping %}{% for k, v in value.items() %}\n{{ '  ' * depth }}{{ k }}{{ show(v, depth + 1) }}{% endfor %}{% elif value is string or value is not iterable %}={{ value }}{% else %}{% for v in value %}|{{ v }}{% endfor %}{% endif %}{% endmacro %}{{ show(tools[0], 0) }}", TURNS, {"tools": TOOLS}),
    ("white space", "  {% if true %}\n  a\n  {%- if true -%}  \n  b  {%+ if true %} c{% endif %}\n{% endif %}\n    {# note #}\n  {{ 'd' }}  \n  {% endif %}\ne\n", TURNS, {}),
    ("line ends", "a\r\n{% if true %}\r\nb\r\n{% endif %}\rc\rd\r\ne\r\n", TURNS, {}),
    ("string methods", "{{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xa'.lstrip('x') }}|{{ 'a\n'.rstrip() }}|{{ 'a,b,c'.split(',') }}|{{ ' a  b c '.split() }}|{{ 'a b c'.split(none, 1) }}|{{ 'a,b,c'.split(',', maxsplit=1) }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ' a b  c '.rsplit(maxsplit=1) }}|{{ 'abc'.startswith('ab') }}|{{ 'abc'.endswith(('x', 'c')) }}|{{ 'aXb'.lower() }}|{{ 'é'.upper() }}|{{ 'it is'.title() }}|{{ 'aB'.capitalize() }}|{{ 'a-b-c'.replace('-', '+') }}|{{ 'a-b-c'.replace('-', '+', 1) }}", TURNS, {}),
    ("more string methods", "{{ 'prefix'.removeprefix('pre') }}|{{ 'suffix'.removesuffix('x') }}|{{ 'a=b=c'.partition('=') }}|{{ 'a=b=c'.rpartition('=') }}|{{ 'abc'.partition('x') }}|{{ 'abc'.rpartition('x') }}|{{ 'äbcb'.find('b') }}|{{ 'äbcb'.rfind('b') }}|{{ 'abc'.find('x') }}|{{ 'äbcb'.index('b') }}|{{ 'äbcb'.rindex('b') }}|{{ 'abab'.count('ab') }}|{{ 'ab'.ljust(5) }}|{{ 'ab'.rjust(5, '.') }}|{{ 'ab'.center(5, '*') }}|{{ 'abc'.center(6, '*') }}|{{ '-7'.zfill(4) }}|{{ '7'.zfill(3) }}|{{ 'aBc'.swapcase() }}|{{ 'AB'.casefold() }}|{{ ', '.join(['a', 'b']) }}|{{ '12'.isdigit() }}|{{ 'a1'.isalnum() }}|{{ 'ab'.isalpha() }}|{{ 'AB'.isupper() }}|{{ 'a\nb'.splitlines() }}|{{ '{} and {x}'.format(1, x=2) }}", TURNS, {}),
    ("slices", "{{ messages[1:] | length }} {{ messages[-1].role }} {{ messages[0]['role'] }} {{ messages[::-1][0].role }} {{ messages[:2] | map(attribute='role') | join(',') }} {{ 'abcdef'[1:-1] }} {{ 'abcdef'[::2] }} {{ 'äb'[0] }} {% for m in messages[1:-1] %}{{ m.role[0] }}{% endfor %}", TURNS, {}),
    ("tests", "{{ x is defined }} {{ x is undefined }} {{ messages is sequence }} {{ 'a' is sequence }} {{ messages[0] is mapping }} {{ messages[0] is sequence }} {{ 'a' is string }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ none is iterable }} {{ x is iterable }} {{ {} is iterable }} {{ 1 is number }} {{ 1.5 is integer }} {{ true is boolean }} {{ none is none }} {{ 3 is odd }} {{ 6 is divisibleby 3 }} {{ 'a' is in 'abc' }} {{ 1 is eq 1 }} {{ false is false }} {{ 'A' is upper }}", TURNS, {}),
    ("filters", "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | map('trim') | join(' & ') }}|{{ messages | rejectattr('role', 'in', ['user', 'system']) | list | length }}|{{ messages | map(attribute='role') | unique | list }}|{{ (messages | first).role }}|{{ (messages | last).role }}|{{ [3, 1, 2] | sort }}|{{ ['b', 'a'] | sort(reverse=true) }}|{{ {'b': 1, 'a': 2} | dictsort }}|{{ {'b': 1, 'a': 2} | items | list }}|{{ 'a b' | replace(' ', '_') }}|{{ x | default('d') }}|{{ '' | default('d', true) }}|{{ x | length }}|{{ [1, 2] | sum }}|{{ 'abc' | reverse }}|{{ '7' | int + 1 }}|{{ 7 | string + '1' }}|{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a\nb' | indent(2, first=true) }}|{{ 'abc' | list }}|{{ [1, [2]] | string }}|{{ 3.7 | round | int }}|{{ -2 | abs }}|{{ 'some text' | capitalize }}|{{ [1, none, 'a'] | select | list }}|{{ 'a' ~ 1 ~ none }}", TURNS, {}),
    ("printing", "{{ none }} {{ true }} {{ [1, 'a', none, 2.0, \"it's\"] }} {{ {'a': [true]} }} {{ (1, 'b') }} {{ (1,) }} {{ x }}{{ messages[0].nothing }} {{ 1e3 }} {{ 1e20 }} {{ 1.5e-7 }} {{ 0.1 + 0.2 }} {{ 7 // 2 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 'ab' * 2 }} {{ 1 == 1.0 }} {{ 'a' < 'b' }} {{ not x }} {{ 'y' if x }} {{ 'a' 'b' }} {{ '<&>' }}", TURNS, {}),
    ("dictionaries", "{% for k, v in tools[0].function.parameters.properties.items() %}{{ k }}:{{ v.type }};{{ v.items() | list | length }}\n{% endfor %}{{ tools[0].get('x', 'd') }} {{ tools[0].get('x') }} {{ tools[0].get('type') }} {{ tools[0].keys() | list }} {{ tools[0].function.parameters.required.index('location') }} {{ 'type' in tools[0] }} {{ dict(a=1) }} {{ [1, 2, 1].count(1) }}", TURNS, {"tools": TOOLS}),
    ("assignments", "{% set a, b = 'x', 'y' %}{{ a }}{{ b }}{% set block %}in {{ a }}{% endset %}{{ block }}{{ block | length }}{% set list = ['a'] + ['b'] %}{{ list }}{% if true %}{% set c = 1 %}{% endif %}{{ c }}{% for i in range(2) %}{% set c = 5 %}{% endfor %}{{ c }}{% with d = 2 %}{{ d }}{% endwith %}{{ d }}", TURNS, {}),
    ("raw text", "{% raw %}{{ x }} {% generation %}{% endraw %}{{ '{% generation %}' }}{# {% generation %} #}", TURNS, {}),
    ("date", "{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%Y-%m-%d') }}|{{ strftime_now('%B %-d, %Y %H:%M:%S') }}|{{ strftime_now is defined }}", TURNS, {}),
    ("generation blocks", "{% for m in messages %}\n  {% if m.role == 'assistant' %}\n    {% generation %}\n[{{ m.content }}]\n    {%- endgeneration %}\n{% set x = 1 %}\n  {%- else -%}\n    {{ m.content }}\n  {% endif %}\n{% endfor %}{{ x }}", TURNS, {}),
    ("variables of a generation block", "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{%- endgeneration -%} {{ x }}", TURNS, {}),
    ("special tokens", "{{ bos_token }}{{ eos_token }}{{ pad_token }}{{ bos_token is defined }}{{ pad_token is defined }}", TURNS, {}),
    ("variables", "{{ enable_thinking }} {{ level }} {{ bos_token }} {{ settings.a[0] }}{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}", TURNS, {"variables": {"enable_thinking": False, "level": "high", "bos_token": "<b>", "settings": {"a": [1]}}}),
    ("tool calls", "{% for m in messages %}{{ m.role }}{% if m.content is defined %}: {{ m.content }}{% endif %}{% if m.tool_calls %}{% for call in m.tool_calls %}{% set f = call.function %} {{ f.name }}({{ f.arguments | tojson }}){% endfor %}{% endif %}{% if 'tool_calls' in m %}+{% endif %}{{ m.reasoning_content }}{{ m.thinking }}\n{% endfor %}", CALLS, {}),
    ("think blocks", "{% for m in messages %}{% set content = m.content %}{% if '</think>' in content %}{% set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}{% set content = content.split('</think>')[-1].lstrip('\\n') %}[{{ reasoning }}]{% endif %}{{ content }}{% endfor %}", [user("q"), assistant("<think>\nhm\n</think>\n\nyes")], {}),
    ("parts of a message", "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% elif part.type == 'image' %}<image>{% endif %}{% endfor %}{% endif %}|{% endfor %}", [user([{"type": "image"}, {"type": "text", "text": "What?"}]), assistant("This.")], {}),
]

# What a template refuses, with its own words.
REFUSALS = [
    ("raise_exception", "{% if messages[0].role != 'user' %}{{ raise_exception('Begin with the user, not ' + messages[0].role + '!') }}{% endif %}", TURNS, {}),
    ("raise_exception in a macro", "{% macro f() %}{{ raise_exception(1) }}{% endmacro %}{{ f() }}", TURNS, {}),
]

# What fails, on this line.
FAILURES = [
    ("undefined", "a\n{{ x.y }}", 2),
    ("undefined item", "{{ messages[0].x.y }}", 1),
    ("undefined method", "a\nb\n{{ x.strip() }}", 3),
    ("types", "{{ 'a' + 1 }}", 1),
    ("unknown method", "{{ messages.append(1) }}", 1),
    ("undefined as JSON", "\n{{ x | tojson }}", 2),
    ("no such text", "{{ 'abc'.index('x') }}", 1),
]
UNREADABLE = [
    ("unclosed block", "a\n{% if x %}", 2),
    ("unknown tag", "a\n\n{% what %}", 3),
    ("unclosed generation", "{% generation %}", 1),
    ("bad expression", "a\n{{ x + }}", 2),
]


def render(template, messages, generate=False, tools=None, documents=None, variables=None):
    # As `apply_chat_template` does before it renders.
    messages = [{key: value for key, value in message.items() if value is not None} for message in messages]
    rendered, _ = chat_template_utils.render_jinja_template(
        [messages], tools=tools, documents=documents, chat_template=template, add_generation_prompt=generate, **{**SPECIAL, **(variables or {})}
    )
    return rendered[0]


def outcome(template, *args, **kwargs):
    try:
        return {"text": render(template, *args, **kwargs)}
    except Exception as error:
        if type(error).__name__ != "TemplateError":
            raise
        return {"refused": str(error)}


def fails(template):
    try:
        render(template, TURNS)
    except Exception:
        return True
    return False


def source(name):
    return (TEMPLATES / f"{name}.jinja").read_text()


def check_published():
    """The built-in templates make the texts that the models' makers publish."""
    brief, question, answer, thanks = system("Be brief."), user("Hi"), assistant("Hello"), user("Bye")

    def check(name, messages, generate, expected):
        assert render(source(name), messages, generate) == expected, (name, render(source(name), messages, generate))

    check(
        "chatml",
        [brief, question, answer, thanks],
        True,
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
        "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n",
    )
    check(
        "llama-2",
        [brief, question, answer, thanks],
        True,
        "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello </s><s>[INST] Bye [/INST]",
    )
    header = "<|start_header_id|>{}<|end_header_id|>\n\n".format
    check(
        "llama-3",
        [brief, question, answer, thanks],
        True,
        f"<s>{header('system')}Be brief.<|eot_id|>{header('user')}Hi<|eot_id|>{header('assistant')}Hello<|eot_id|>"
        f"{header('user')}Bye<|eot_id|>{header('assistant')}",
    )
    check("mistral", [question, answer, thanks], True, "<s>[INST] Hi[/INST] Hello</s>[INST] Bye[/INST]")
    check("mistral", [brief, question, answer, thanks], True, "<s>[INST] Hi[/INST] Hello</s>[INST] Be brief.\n\nBye[/INST]")


def main():
    folder = output_folder("tokenizer", __doc__)
    check_published()
    builtin = [
        {"name": f"{name}: {title}", "builtin": name, "messages": messages, "generate": generate, **outcome(source(name), messages, generate)}
        for name in BUILTIN
        for title, messages in CONVERSATIONS.items()
        for generate in (False, True)
    ]
    templates = [
        {"name": name, "template": template, "messages": messages, **given, **outcome(template, messages, **given)}
        for name, template, messages, given in FEATURES + REFUSALS
    ]
    for case in templates[: len(FEATURES)]:
        assert "text" in case, case
    for name, template, _ in FAILURES + UNREADABLE:
        assert fails(template), name
    write_json(
        folder / "chat_templates.json",
        {
            "special_tokens": SPECIAL,
            "now": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()),
            "builtin": builtin,
            "templates": templates,
            "failures": [{"name": name, "template": template, "line": line} for name, template, line in FAILURES],
            "unreadable": [{"name": name, "template": template, "line": line} for name, template, line in UNREADABLE],
        },
        2,
    )


if __name__ == "__main__":
    main()
