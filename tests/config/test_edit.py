"""Showing a config without its secrets, and storing what comes back."""

import json
from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from llm_gateway.config.edit import mask, restore
from llm_gateway.config.introspection import secret_patterns
from llm_gateway.config.load import parse_config, read_data
from llm_gateway.config.masks import fingerprint, is_mask, mask_of
from llm_gateway.config.problems import ConfigError

OLD = """\
// two providers
{
  "providers": [
    {
      "id": "a", // the first
      "type": "openai",
      "apiKey": "sk-one",
      "headers": {"X-Title": "me", "X-Ref": "${REF}"},
      "models": [{"name": "m"}],
    },
    // "apiKeys": ["old-one",
    //             "old-two"]
    {"id": "b", 'type': 'openai-compatible', "baseURL": "https://b.example/v1",
     "apiKeys": ["${B}", 'sk-two', "${C:-sk-three}"], "models": [{"name": "n"}]},
  ],
  "clients": [{"name": "c", "key": "sk-client"}], /* was: sk-client */
}
"""

ONE, TWO, CLIENT = mask_of("sk-one"), mask_of("sk-two"), mask_of("sk-client")


def refusals(new: str | dict[str, Any], old: str = OLD, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        restore(new, old, **options)
    return [str(problem) for problem in caught.value.problems]


def shown_data() -> Any:
    return json.loads(json.dumps(mask(OLD).data))


# -- Masking ---------------------------------------------------------------------------


def test_secrets_by_schema() -> None:
    assert secret_patterns() == {
        ("providers", "*", "apiKey"),
        ("providers", "*", "apiKeys", "*"),
        ("providers", "*", "oauthToken"),
        ("providers", "*", "accessToken"),
        ("providers", "*", "headers", "*"),
        ("clients", "*", "key"),
        ("network", "proxy"),
        ("providers", "*", "proxy"),
        ("cluster", "url"),
    }


@pytest.mark.parametrize("kept", ["env", "none", "http://proxy:3128", "${PROXY}"])
def test_a_proxy_without_a_password_is_shown(kept: str) -> None:
    text = json.dumps({"network": {"proxy": kept}})
    assert mask(text).data == {"network": {"proxy": kept}}


def test_a_proxys_password_is_masked_and_comes_back() -> None:
    url = "http://me:CANARY-word@proxy:3128"
    text = json.dumps({"network": {"proxy": url, "noProxy": ["a.test"]}})
    shown = mask(text)
    assert "CANARY" not in shown.text + json.dumps(shown.data)
    assert json.loads(restore(shown.text, text)) == json.loads(text)
    assert json.loads(restore(shown.data, text)) == json.loads(text)


def test_masked_text() -> None:
    assert mask(OLD).text == (
        OLD.replace('"sk-one"', '"***9d16a41e"')
        .replace('"me"', f'"{mask_of("me")}"')
        .replace("'sk-two'", f'"{TWO}"')
        .replace("${C:-sk-three}", mask_of("${C:-sk-three}"))
        .replace("sk-client", CLIENT)
        .replace("old-one", mask_of("old-one"))
        .replace("old-two", mask_of("old-two"))
    )


def test_masked_data() -> None:
    data = shown_data()
    assert data["providers"][0]["apiKey"] == ONE
    assert data["providers"][0]["headers"] == {
        "X-Title": mask_of("me"),
        "X-Ref": "${REF}",
    }
    assert data["providers"][1]["apiKeys"] == ["${B}", TWO, mask_of("${C:-sk-three}")]
    assert data["clients"] == [{"name": "c", "key": CLIENT}]


def test_a_fingerprint_is_short_and_tells_nothing() -> None:
    assert fingerprint("sk-one") == "9d16a41e"
    assert is_mask("***9d16a41e")
    assert is_mask("***")
    assert not is_mask("***b00463c")
    assert not is_mask("x***")


@pytest.mark.parametrize(
    "comment",
    [
        '// "apiKey": "plain-word"',
        "// apiKey: 'plain-word'",
        '/* "headers": {"Authorization": "plain-word"} */',
        '// "apiKeys": ["x",\n  // "plain-word"]',
        '// "oauthToken" : "plain-word",',
        '// {"name": "x", "key": "plain-word"}',
        "// gsk_0123456789plain-word",
        "// old key sk-proj-plain-word_0123456789 revoked",
        '// "apiKey": "${X:-plain-word}"',
    ],
)
def test_secrets_that_were_commented_out(comment: str) -> None:
    old = f'{comment}\n{{"providers": []}}'
    shown = mask(old).text
    assert "plain-word" not in shown
    assert "***" in shown
    assert restore(shown, old) == old


@pytest.mark.parametrize(
    "comment",
    [
        "// a sketch: the key is unique, apiKey comes from ${KEY}",
        '// "apiKey": "${KEY}"',
        "// *** important ***",
        '/* "name": "plain-word" */',
    ],
)
def test_comments_without_secrets_stay(comment: str) -> None:
    old = f"{comment}\n{{}}"
    assert mask(old).text == old


# -- Putting back ----------------------------------------------------------------------


def test_nothing_changed() -> None:
    assert restore(mask(OLD).text, OLD) == OLD
    assert restore(shown_data(), OLD) == OLD


def test_a_changed_limit_keeps_comments_and_keys() -> None:
    text = mask(OLD).text.replace(
        '"models": [{"name": "n"}]', '"models": [], "limits": {}'
    )
    assert restore(text, OLD) == OLD.replace(
        '"models": [{"name": "n"}]', '"models": [], "limits": {}'
    )


def test_an_object_keeps_comments_and_keys_too() -> None:
    data = shown_data()
    data["providers"][0]["enabled"] = False
    assert restore(data, OLD) == OLD.replace(
        '      "models": [{"name": "m"}],\n',
        '      "models": [{"name": "m"}],\n      "enabled": false,\n',
    )


def test_reordered_providers_keep_their_own_keys() -> None:
    data = shown_data()
    data["providers"].reverse()
    stored = read_data(restore(data, OLD), "")
    assert [p["id"] for p in stored["providers"]] == ["b", "a"]
    assert stored["providers"][0]["apiKeys"] == ["${B}", "sk-two", "${C:-sk-three}"]
    assert stored["providers"][1]["apiKey"] == "sk-one"


def test_a_renamed_provider_keeps_its_key() -> None:
    text = mask(OLD).text.replace('"id": "a"', '"id": "renamed"')
    assert restore(text, OLD) == OLD.replace('"id": "a"', '"id": "renamed"')


def test_a_key_that_left_its_list_is_found_again() -> None:
    data = shown_data()
    data["providers"][1]["apiKeys"] = [TWO]
    stored = read_data(restore(data, OLD), "")
    assert stored["providers"][1]["apiKeys"] == ["sk-two"]


def test_two_names_for_one_value() -> None:
    old = """{"providers": [
      {"id": "a", "type": "groq", "apiKey": "same"},
      {"id": "b", "type": "openai", "apiKey": "same"},
      {"id": "c", "type": "openai", "apiKey": "other"}]}"""
    assert restore(mask(old).text, old) == old
    moved = mask(old).text.replace(mask_of("other"), mask_of("same"))
    assert '"id": "c", "type": "openai", "apiKey": "same"' in restore(moved, old)


def test_a_new_secret_is_taken_as_it_is() -> None:
    text = mask(OLD).text.replace(ONE, "sk-new")
    assert '"sk-new"' in restore(text, OLD)


def test_bare_stars_mean_the_secret_that_stood_there() -> None:
    text = mask(OLD).text.replace(ONE, "***")
    assert restore(text, OLD) == OLD
    text = text.replace('"id": "a"', '"id": "z"')
    assert refusals(text) == [
        "config.jsonc:7:17: providers[0].apiKey: is a masked secret that is not stored here; write the secret itself"
    ]


def test_unknown_masks_are_all_named_with_their_places() -> None:
    text = mask(OLD).text.replace(ONE, "***00000000").replace(TWO, "***11111111")
    assert refusals(text) == [
        "config.jsonc:7:17: providers[0].apiKey: is a masked secret that is not stored here; write the secret itself",
        "config.jsonc:14:26: providers[1].apiKeys[1]: is a masked secret that is not stored here; write the secret itself",
    ]


MOVED = "is a stored secret, but the type or the address of its provider changed"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://b.example/v1", "https://evil.example/v1"),
        ("https://b.example/v1", "https://b.example:8443/v1"),
        ("https://b.example/v1", "http://localhost/v1"),
        ("https://b.example/v1", "https://b.example.evil.example/v1"),
        ("https://b.example/v1", "https://b.example${X}/v1"),
        ('"baseURL": "https://b.example/v1",', ""),
        ("'openai-compatible'", '"groq"'),
    ],
)
def test_a_stored_key_does_not_follow_to_another_address(
    before: str, after: str
) -> None:
    masked = mask(OLD).text
    assert before in masked
    found = refusals(masked.replace(before, after))
    assert [line.split(": ", 2)[1] for line in found] == [
        "providers[1].apiKeys[1]",
        "providers[1].apiKeys[2]",
    ]
    assert all(MOVED in line for line in found)


def test_nor_by_moving_to_a_provider_elsewhere() -> None:
    data = shown_data()
    data["providers"].append(
        {
            "id": "new",
            "type": "openai-compatible",
            "baseURL": "https://evil.example",
            "headers": {"X-Steal": TWO},
        }
    )
    (found,) = refusals(data)
    assert MOVED in found
    assert 'providers[2].headers["X-Steal"]' in found


def test_nor_from_a_client_to_a_provider() -> None:
    data = shown_data()
    data["providers"][0]["apiKey"] = CLIENT
    (found,) = refusals(data)
    assert "not stored here" in found


def test_the_path_and_the_other_word_for_a_type_are_no_change() -> None:
    text = mask(OLD).text.replace("https://b.example/v1", "https://B.example:443/v2")
    assert "'sk-two'" in restore(text.replace("openai-compatible", "custom"), OLD)


def test_writing_out_a_types_own_address_is_no_change() -> None:
    data = shown_data()
    data["providers"][0]["baseURL"] = "https://api.openai.com/v1"
    assert len(refusals(data)) == 2
    own = {"openai": "https://api.openai.com/v1"}
    assert '"sk-one"' in restore(data, OLD, base_urls=own)


@pytest.mark.parametrize("key", ["resourceName", "region", "location"])
def test_keys_that_make_an_address(key: str) -> None:
    old = f'{{"providers": [{{"id": "a", "type": "azure", "{key}": "mine", "apiKey": "k"}}]}}'
    (found,) = refusals(mask(old).text.replace("mine", "evil"), old)
    assert MOVED in found


def test_a_comment_cannot_be_made_to_tell_a_secret() -> None:
    new = f'{{"providers": []}} // {ONE} {mask_of("old-one")}'
    assert restore(new, OLD) == new
    again = f'// "apiKey": "{mask_of("old-one")}"\n{{"providers": []}}'
    restored = restore(again, OLD)
    assert '"old-one"' in restored
    assert "old-one" not in mask(restored).text


def test_no_json_is_a_syntax_error() -> None:
    with pytest.raises(ConfigError) as caught:
        restore('{"a"', OLD)
    assert caught.value.syntax


SECRET = st.text(
    alphabet=st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=24
).filter(lambda text: text.strip() and "${" not in text and not is_mask(text))
HEADERS = st.dictionaries(
    st.sampled_from(["X-A", "x-b", "Authorization"]), SECRET, max_size=2
)


@st.composite
def configs(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """A config with secrets in every place that can hold one, and these secrets."""
    secrets: list[str] = []
    providers = []
    for index in range(draw(st.integers(0, 3))):
        provider: dict[str, Any] = {
            "id": f"p{index}",
            "type": draw(st.sampled_from(["openai", "groq"])),
        }
        if draw(st.booleans()):
            provider["apiKey"] = draw(SECRET)
            secrets.append(provider["apiKey"])
        else:
            keys = draw(st.lists(SECRET, max_size=3, unique_by=str.strip))
            provider["apiKeys"] = keys
            secrets += keys
        provider["headers"] = draw(HEADERS)
        secrets += provider["headers"].values()
        providers.append(provider)
    clients = []
    names = draw(st.lists(SECRET, max_size=2, unique_by=str.strip))
    for index, key in enumerate(names):
        clients.append({"name": f"c{index}", "key": key})
    return {"providers": providers, "clients": clients}, secrets + names


@examples(15)
@given(configs(), st.booleans())
def test_mask_and_restore_is_identity(
    sample: tuple[dict[str, Any], list[str]], indent: bool
) -> None:
    data, secrets = sample
    text = json.dumps(data, indent=2 if indent else None) + " // end\n"
    parse_config(text, {})
    shown = mask(text)
    assert restore(shown.text, text) == text
    assert restore(shown.data, text) == text
    assert read_data(shown.text, "") == shown.data
    values = [secret for secret in secrets if len(secret) > 12]
    for value in values:
        assert json.dumps(value)[1:-1] not in shown.text
    # Fresh text from the shown object, whatever became of its order.
    shown.data["providers"].reverse()
    stored = read_data(restore(shown.data, text), "")
    data["providers"].reverse()
    assert stored == data
