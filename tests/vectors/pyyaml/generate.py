#!/usr/bin/env python3
"""Writes scalars.json: what PyYAML's safe_load makes of plain scalars. Run with PyYAML 6.0.3."""
import datetime, json, math, pathlib, struct

import yaml

TEXTS = """
y|Y|n|N|yes|Yes|YES|yEs|no|No|NO|nO|true|True|TRUE|tRUE|false|False|FALSE|on|On|ON|oN|off|Off|OFF|t|f|
~|null|Null|NULL|nULL|none|None|nil|~~|<<|=|==|
0|-0|+0|00|000|0_|0__7|1|-1|+1|12|012|-012|+012|08|09|0o17|0O17|018|0777|1_000|1__0|_1|1_|-1_0|
0b1|0b1010|-0b11|+0b1|0B1|0b2|0b_|0b1_0|0x1F|0X1F|0x1f|-0x1F|+0xff|0x_|0x_f|0xg|0x|0b|
1:30|1:30:15|-1:30|+1:30|1:60|1:5|0:30|01:30|1_0:30|190:20:30|1:2:3:4|1:30:|:30|1:|12:30:45|
2147483648|9007199254740992|9007199254740993|-9007199254740993|9223372036854775807|9223372036854775808|
-9223372036854775808|18446744073709551615|18446744073709551616|-9223372036854775809|1000000000000000000000000|
0.1|1.0|1.|.5|-.5|+.5|-0.0|+1.5|1.5e3|1.5e+3|1.5E-3|1e3|1e+3|12e4|822e615|1.0e-05|1.0e400|1.0e+400|1.0e-400|
.1e+2|._1|.1_0|1_0.5|1_0._5|1.5_0|1.e+1|1.0e+_1|0.30000000000000004|5.0e-324|1.7976931348623157e+308|
2.2250738585072014e-308|123456789012345678.0|0.1e+1|1.5e+0003|3.0|100.0|00.5|01.5|1:30.5|1:30.|-1:30.25|190:20:30.15|
1:59.9_9|.inf|.Inf|.INF|-.inf|+.inf|.iNF|inf|.nan|.NaN|.NAN|.Nan|nan|-.nan|.|..|-|+|+-1|--1|1-2|1+2|
2026-11-24|2026-1-1|2026-11-24T10:11:12Z|2026-11-24 10:11:12|2026-11-24t10:11:12.5+01:00|2026-11-24T10:11|
2026-13-45|20261124|2026-11|2.1.0|1.2.3|v1|1.2-rc1|0.0.1|1e|e1|1.5e|1.5e-|0x1.8p3|1,000|1 000|5%|1/2|a|abc def|a:b|
a#b|http://x/y|gs://b/o#1|europe-west1-docker.pkg.dev/a/b@sha256:00|10.0.0.1|::1|1::2|Ünicode|日本|٣|１|+|~a|nullx|truex|0true
""".replace("\n", "").split("|")


def entry(text):
    try:
        value = yaml.safe_load(f"- {text}\n")[0]
    except (yaml.YAMLError, ValueError, KeyError) as error:
        # An impossible date is a ValueError there; here every date stays text.
        kind = "date" if "month must" in str(error) or "day is out" in str(error) else "error"
        return {"text": text, "type": kind, "value": None}
    if isinstance(value, bool) or value is None:
        return {"text": text, "type": type(value).__name__, "value": value}
    if isinstance(value, (datetime.date, datetime.datetime)):
        return {"text": text, "type": "date", "value": None}
    if isinstance(value, int):
        if not -2**63 <= value < 2**64:
            return {"text": text, "type": "big", "value": None}
        return {"text": text, "type": "int", "value": str(value)}
    if isinstance(value, float):
        if math.isinf(value) or math.isnan(value):
            return {"text": text, "type": "infinity" if math.isinf(value) else "nan", "value": None}
        return {"text": text, "type": "float", "value": struct.pack(">d", value).hex()}
    assert isinstance(value, str) and value == text, (text, value)
    return {"text": text, "type": "str", "value": value}


texts = sorted({*TEXTS} - {":30", "1:", "1:30:", "-", "::1"}) + [":30"]
lines = ",\n".join("  " + json.dumps(entry(text), ensure_ascii=False) for text in texts)
about = f"yaml.safe_load of each text as a plain scalar, PyYAML {yaml.__version__}; floats are the double's bits, big-endian hex"
pathlib.Path(__file__).with_name("scalars.json").write_text(
    '{"about": ' + json.dumps(about) + ',\n "scalars": [\n' + lines + "\n]}\n")
