"""The words that are shown of Customer.io's messages: those of its own messages, and of error messages in general.

Words that are often values (names, places, plans, ``true``) are left out, however common they are in messages.
Source: Track API and App API OpenAPI and docs.customer.io, "invalid API requests", August 2026.
"""

from __future__ import annotations

from typing import Final


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


GRAMMAR: Final = _listed("""
    a an and are as at be been but by can cannot could did do does for from had has have if in into is it its
    may must not of on only or should than that the their them then there these they this those to too was we
    were when which while with without would you your
""")
"""Words that are shown even where a row has one as a value (``in`` of India), unless they are quoted."""

API_NAMES: Final = _listed("""
    _update action anonymous_id attributes batch batch_index cio_id cio_object_id cio_relationships
    cio_relationships[0] cio_subscription_preferences created_at device email event id identifiers identify ids
    last_used name object_id object_type_id phone platform primary relationship_attributes secondary timestamp
    token type unsubscribed
""")
"""What Customer.io's own API calls the parts of an item."""

_WORDS: Final = _listed("""
    about above accept accepted accepts access account action actions activity actual add add_device
    add_relationships added additional address addresses after again all allowed allows already also always
    and/or another answer any api app applied apply array arrays attempt attribute attributes authentication
    authorized automatically available bad batch because before begin begins being below between blank blocked
    body boolean both broken bytes call called can't case change changed changes channel character characters
    check closed code collection column combination comma compatible complete configured conflict conflicting
    conflicts connection contain contained containing contains content couldn't count create created creating
    credentials current currently customer customer.io customers data database date dates day days decimal
    decode decoded default defined delete delete_device delete_relationships deleted deleting delivery
    deprecated described destination detail details detected device devices didn't different digit digits
    disabled disallowed discarded documentation doesn't domain domains don't double dropped due duplicate
    duplicated duplicates during e-mail e-mails e.164 each either element elements else email emails empty
    enabled encode encoded encoding end ends enough entire entities entity entry environment equal error errors
    event events every exact exactly exceed exceeded exceeding exceeds except exist existing exists expect expected
    expired failed failing fails failure fault few field fields file find first float following forbidden format
    formats formatted found function future given greater group handle hash haven't header higher hold holds http
    http/1.1 id identified identifier identifiers identify identify_anonymous ids ignored include included includes
    incorrect index individual input instead integer integers integration internal invalid isn't iso-8601
    iso8601 item items json key keys kilobytes known large larger last later least length less letter letters
    limit limits link linked list lists long longer lookup lower lowercase malformed many mapping match matched
    matches matching maximum mean meets member members merge merged message messages metadata method
    milliseconds minimum mismatch missing modified modify more most multiple mustn't name named names need needs
    negative nested never next no non non-empty none nonempty nothing null number numbers numeric object objects
    off one ones operation operations option other others out outside over overlong own page pair parameter
    parameters params parent parse parsed parsing part past path payload people per period permission permitted
    person person/object phone please point points position positive possible preferences prefix present
    previous previously primary problem process processed processing profile profiles prohibited properly
    properties property provide provided query quota range rate reach reached read readable reason received
    recipient recognised recognized record records refused rejected related relation relationship relationships
    remove removed repeated replaced request requests require required requires reserved resource response retry
    reuse root row rows same sandbox schema screen second secondary seconds segment segments send sent separator server
    set shorter show similar since single size small smaller some something special specified specify standard
    start starts state status still string string-formatted strings structure subscription such suffix supplied
    support supported supports suppress suppressed suppression syntax system take taken target temporarily text
    time timestamp timestamps timezone token tokens topic topics total track type types ulid unable unavailable
    under unexpected unicode unidentified unique unit unix unknown unprocessable unreadable unrecognised
    unrecognized unresolved unsubscribed unsupported unsuppress until up update updated updates upper uppercase
    uri url urls use used user users uses using utc utf-8 uuid valid validate validated validation value values
    version via wait wasn't weren't whether whitespace whole wide will within won't word workspace write wrong
    yet zero zone
""")

REASONS: Final = frozenset({"invalid", "parse", "required", "suppressed", "too_large"})
"""Customer.io's own, which reveal nothing about a row even where a value is the same word."""

_AT_THE_BEGINNING: Final = _listed("Cannot Each If Must Only The These This Your")
"""Grammar that is no name, with a capital."""

_OTHERWISE: Final = _listed(
    "API Customer.io E.164 HTTP HTTP/1.1 ID IDs ISO JSON KB ULID UNIX URI URL URLs UTC UTF-8 UUID"
)

_WITH_A_CAPITAL: Final = frozenset(word.capitalize() for word in _WORDS if word.isalpha())

WORDS: Final = GRAMMAR | API_NAMES | _WORDS | _WITH_A_CAPITAL | _AT_THE_BEGINNING | _OTHERWISE
"""All of them, as they may be spelt."""

LIMITS: Final = frozenset({"100", "150", "300", "500", "1000", "1,000", "32000", "100000", "500000"})
"""The API's own limits, which are shown before one of ``UNITS``; other numbers never are."""

UNITS: Final = ("bytes", "characters", "attributes", "ids", "items", "kilobytes")
