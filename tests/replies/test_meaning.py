"""Properties of what numbers mean: any unit, layout, bound, range or label, in any language.

The tables here are the test's own. A reply reads to the value worked out here by hand, or not at
all: never to another. `tests/peers/test_meaning_more.py` draws many more examples.
"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvision.replies import AnswerStatus, read_answer

FEW = settings(derandomize=True, max_examples=300)

MM = {
    **dict.fromkeys(
        ["mm", "millimeters", "millimetre", "Millimeter", "millimètres", "milímetros"], 1
    ),
    **dict.fromkeys(
        ["millimetri", "мм", "миллиметра", "毫米", "ミリメートル", "밀리미터", "مم"], 1
    ),
    **dict.fromkeys(["ملم", "मिमी", "मिलीमीटर", "㎜", "ｍｍ"], 1),
    **dict.fromkeys(["cm", "centimeters", "Zentimeter", "centimètres", "centímetros", "см"], 10),
    **dict.fromkeys(["centimetri", "сантиметра", "厘米", "公分", "センチメートル", "센티미터"], 10),
    **dict.fromkeys(["سم", "سنتيمتر", "सेमी", "सेंटीमीटर", "㎝"], 10),
    **dict.fromkeys(["meters", "metres", "Meter", "mètres", "metros", "метра", "米"], 1000),
    **dict.fromkeys(["メートル", "미터", "متر", "मीटर"], 1000),
    **dict.fromkeys(["µm", "μm", "um", "microns", "micrometers", "мкм", "微米", "㎛"], 0.001),
    **dict.fromkeys(["inches", "inch", "Zoll", "pouces", "pulgadas", "polegadas", "pollici"], 25.4),
    **dict.fromkeys(["дюйма", "英寸", "インチ", "인치", "بوصة", "इंच"], 25.4),
}
"""Spellings of lengths, and how many mm each is."""
DEGREES = {
    **dict.fromkeys(["°", "º", "deg", "degrees", "Grad", "degrés", "grados", "graus", "gradi"], 1),
    **dict.fromkeys(["градуса", "度", "도", "درجة", "डिग्री"], 1),
    **dict.fromkeys(
        ["rad", "radians", "Radiant", "radianes", "radianos", "radianti"], 180 / math.pi
    ),
    **dict.fromkeys(["радиан", "弧度", "ラジアン", "라디안", "راديان", "रेडियन"], 180 / math.pi),
}
NO_UNIT = (
    *(
        "furlongs",
        "ft",
        "feet",
        "yards",
        "miles",
        "px",
        "pixels",
        "Pixel",
        "像素",
        "ピクセル",
        "픽셀",
    ),
    *("%", "kg", "ml", "HU", "gon", "quux", "zork", "mmol", "пикселей", "футов", "पिक्सेल", "بكسل"),
    *("parsecs", "hands", "寸", "英尺", "フィート", "mm³", "mm/pixel", "cm/voxel", "°C", "arcmin"),
)
"""Words in the place of a unit that make a length or an angle of no number."""

VALUES = st.decimals(min_value="1.01", max_value="299", places=2, allow_nan=False)
FORMS = (
    *("{value} {unit}", "{value}{unit}", "The value is {value} {unit}.", "**{value} {unit}**"),
    *("about {value} {unit}", "Answer: {value} {unit}", '{{"value": "{value} {unit}"}}'),
    *('{{"value": {value}, "unit": "{unit}"}}', '{{"unit": "{unit}", "value": {value}}}'),
    *('<value unit="{unit}">{value}</value>', "<v>{value} {unit}</v>", "{value} [{unit}]"),
    *('<d value="{value}" unit="{unit}"/>', "<value>{value}</value><unit>{unit}</unit>"),
    *("{value} ({unit})", "$ {value}\\,\\text{{{unit}}} $", "\\SI{{{value}}}{{{unit}}}"),
)


def reads_to(task, text, *expected):
    """Whether a reply reads to one of some answers, or not at all."""
    answer = read_answer(task, text)
    near = any(answer.values == pytest.approx(one, rel=1e-9) for one in expected)
    return answer.status is not AnswerStatus.OK or near


def check_unit(data):
    """A length or an angle in any unit and form is that many mm or degrees, or unread."""
    unit, factor = data.draw(st.sampled_from([*MM.items(), *DEGREES.items()]))
    value, form = data.draw(VALUES), data.draw(st.sampled_from(FORMS))
    text = form.format(value=value, unit=unit)
    assert reads_to("ad", text, (float(value) * factor,)), text


def check_units_of_axes(data):
    """So with two lengths of one unit or two."""
    (first, by), (second, times) = data.draw(st.tuples(*[st.sampled_from([*MM.items()])] * 2))
    major, minor = data.draw(VALUES), data.draw(VALUES)
    expected = float(major) * by, float(minor) * times
    forms = (
        "{major} {first} x {minor} {second}",
        "major axis: {major} {first}, minor axis: {minor} {second}",
        '{{"major": "{major} {first}", "minor": "{minor} {second}"}}',
        '<major unit="{first}">{major}</major><minor unit="{second}">{minor}</minor>',
        '{{"major": {{"value": {major}, "unit": "{first}"}}, '
        '"minor": {{"value": {minor}, "unit": "{second}"}}}}',
        "{major} {first} by {minor} {second}",
    )
    form = data.draw(st.sampled_from(forms))
    text = form.format(major=major, first=first, minor=minor, second=second)
    assert reads_to("tl", text, expected), text


def check_no_unit(data):
    """A number with a word in the unit's place that is none is never a value."""
    value, unit = data.draw(VALUES), data.draw(st.sampled_from(NO_UNIT))
    text = data.draw(st.sampled_from(FORMS)).format(value=value, unit=unit)
    assert read_answer("ad", text).status is not AnswerStatus.OK, text
    pair = data.draw(
        st.sampled_from(["{value} {unit} x {value} {unit}", "{value} x {value} {unit}"])
    )
    text = pair.format(value=value, unit=unit)
    assert read_answer("tl", text).status is not AnswerStatus.OK, text


BEFORE = (
    *("under", "below", "less than", "fewer than", "up to", "at least", "at most", "no more than"),
    *("more than", "over", "above", "exceeding", "maximum of", "a minimum of", "<", ">", "≤", "≥"),
    *("not", "within", "beyond", "no less than", "just under", "slightly above", "upwards of"),
    *("unter", "über", "weniger als", "mehr als", "höchstens", "mindestens", "bis zu", "maximal"),
    *("moins de", "plus de", "au moins", "au plus", "jusqu'à", "inférieur à", "supérieur à"),
    *("menos de", "más de", "al menos", "como máximo", "hasta", "menor que", "mayor que"),
    *("mais de", "pelo menos", "no máximo", "até", "menor que", "meno di", "più di", "almeno"),
    *("al massimo", "fino a", "oltre", "менее", "более", "не более", "не менее", "до", "свыше"),
    *(
        "小于",
        "大于",
        "不超过",
        "至少",
        "最多",
        "少于",
        "多于",
        "少なくとも",
        "最大",
        "최소",
        "최대",
    ),
    *("أقل من", "أكثر من", "على الأقل", "حتى", "कम से कम", "अधिकतम", "न्यूनतम"),
    *(
        "slice",
        "Slice:",
        "step",
        "Step:",
        "Figure",
        "Fig.",
        "image no.",
        "Schicht",
        "coupe",
        "corte",
    ),
    *(
        "срез",
        "切片",
        "第",
        "スライス",
        "슬라이스",
        "confidence:",
        "slice thickness:",
        "pixel size is",
    ),
    *("from", "between", "either", "grade", "stage", "phase", "[1]", "version", "level"),
)
AFTER = (
    *(
        "or more",
        "or less",
        "or greater",
        "and above",
        "at most",
        "at least",
        "max",
        "maximum",
        "+",
    ),
    *(
        "minimum",
        "per pixel",
        "per voxel",
        "/pixel",
        "± 2",
        "oder mehr",
        "oder weniger",
        "höchstens",
    ),
    *(
        "ou plus",
        "ou moins",
        "au maximum",
        "o más",
        "o menos",
        "como máximo",
        "ou mais",
        "ou menos",
    ),
    *("o più", "o meno", "или более", "или менее", "и более", "以上", "以下", "以内", "未満"),
    *("이상", "이하", "미만", "أو أكثر", "أو أقل", "على الأقل", "से कम", "से अधिक", "तक", "या अधिक"),
    *("par pixel", "por píxel", "pro Pixel", "на пиксель"),
)


def check_bounds(data):
    """A bound, a denial, a rate, or a number that counts or names something is no answer."""
    value = data.draw(VALUES)
    unit = data.draw(st.sampled_from(["", " mm", "°", " cm", "毫米", " mm²"]))
    word = data.draw(st.sampled_from([*BEFORE, *AFTER]))
    intro = data.draw(st.sampled_from(["", "It is ", "The value is ", "Answer: ", "角度为", "环"]))
    text = f"{intro}{word} {value}{unit}" if word in BEFORE else f"{intro}{value}{unit} {word}"
    for task in ("ad", "area", "tl"):
        assert read_answer(task, text).status is not AnswerStatus.OK, text
    pair = f"{intro}{word} {value}{unit} x {value}{unit}"
    if word in BEFORE:
        assert read_answer("tl", pair).status is not AnswerStatus.OK, pair


RANGES = (
    *("{0} to {1}", "{0} - {1}", "{0}–{1}", "from {0} to {1}", "between {0} and {1}", "{0} ± {1}"),
    *("{0} or {1}", "{0}, maybe {1}", "{0}, possibly {1}", "{0} (range {1})", "{0} up to {1}"),
    *("{0} +/- {1}", "{0} plus or minus {1}", "{0} through {1}", "{0} vs {1}", "{0} versus {1}"),
    *("{0} bis {1}", "zwischen {0} und {1}", "von {0} bis {1}", "{0} oder {1}", "{0} bis etwa {1}"),
    *("{0} à {1}", "entre {0} et {1}", "de {0} à {1}", "{0} ou {1}", "{0} à environ {1}"),
    *("{0} a {1}", "entre {0} y {1}", "de {0} a {1}", "{0} o {1}", "{0} a unos {1}", "{0} até {1}"),
    *("tra {0} e {1}", "da {0} a {1}", "от {0} до {1}", "{0} или {1}", "между {0} и {1}"),
    *("{0}到{1}", "{0}至{1}", "{0}或{1}", "从{0}到{1}", "{0}から{1}", "{0}~{1}", "{0}または{1}"),
    *(
        "{0}에서 {1}",
        "{0} 또는 {1}",
        "{0} إلى {1}",
        "{0} أو {1}",
        "بين {0} و {1}",
        "من {0} إلى {1}",
    ),
    *(
        "{0} से {1}",
        "{0} या {1}",
        "{0} on slice {1}",
        "{0} in {1} lesions",
        "{0} [{1}]",
        "[{0}] {1}",
    ),
    *("{0} (see {1})", "slice {0}: {1}", "step {0}: {1}", "{0} tumors, {1}", "{0} lesion of {1}"),
    *("{0} with error {1}", "{0} in 2 of {1}", "{0}/{1}", "{0}:{1}", "{0} = {1}", "{0} → {1}"),
    *("image {0}, {1}", "{0}; previously {1}", "{0} (was {1})", "{0} now, {1} before", "#{0} {1}"),
)


def check_ranges(data):
    """Two numbers of a range, a tolerance, alternatives, a count or a label are not two axes."""
    first, second = data.draw(VALUES), data.draw(VALUES)
    unit = data.draw(st.sampled_from(["", " mm", " cm", "毫米", " мм", " मिमी"]))
    units = data.draw(st.sampled_from([("", unit), (unit, unit)]))
    form = data.draw(st.sampled_from(RANGES))
    text = form.format(f"{first}{units[0]}", f"{second}{units[1]}")
    intro = data.draw(st.sampled_from(["", "The lesion is ", "Major axis: ", "大小为", "Размер: "]))
    assert read_answer("tl", f"{intro}{text}").status is not AnswerStatus.OK, intro + text


EDGES = st.tuples(*[st.lists(st.integers(1, 99), min_size=2, max_size=2, unique=True)] * 2)
NAMES = {
    "x0": ("x0", "xmin", "x_min", "min_x", "left", "x_left"),
    "y0": ("y0", "ymin", "y_min", "min_y", "bottom", "y_bottom"),
    "x1": ("x1", "xmax", "x_max", "max_x", "right", "x_right"),
    "y1": ("y1", "ymax", "y_max", "max_y", "top", "y_top"),
}
LISTS = {
    **{"xyxy": "x0 y0 x1 y1", "yxyx": "y0 x0 y1 x1", "xxyy": "x0 x1 y0 y1", "xywh": "x0 y0 w h"},
    **{"cxcywh": "cx cy w h", "ltwh": "x0 y1 w h", "tlbr": "y1 x0 y0 x1", "YOLO": "cx cy w h"},
}
STYLES = ("{}={}", '"{}": {}', "{}: {}", "<{0}>{1}</{0}>", "{} {}", '<c {}="{}"/>')


def check_layout(data):
    """A box in any stated layout, order and style is that box, or unread."""
    across, up = data.draw(EDGES)
    (x0, x1), (y0, y1) = sorted(across), sorted(up)
    parts = {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "w": x1 - x0, "h": y1 - y0}
    parts |= {"cx": (x0 + x1) / 2, "cy": (y0 + y1) / 2}
    written = {name: f"{value / 100:.4f}" for name, value in parts.items()}
    expected = tuple(value / 100 for value in (x0, y0, x1, y1))
    if data.draw(st.booleans()):
        column = data.draw(st.integers(0, 5))
        order = data.draw(st.permutations(list(NAMES)))
        style, between = (
            data.draw(st.sampled_from(STYLES)),
            data.draw(st.sampled_from([", ", "; ", "\n"])),
        )
        text = between.join(style.format(NAMES[name][column], written[name]) for name in order)
    else:
        layout, roles = data.draw(st.sampled_from(list(LISTS.items())))
        values = ", ".join(written[name] for name in roles.split())
        forms = (
            *("{layout}: {values}", "[{values}] ({layout})", "{layout} format: ({values})"),
            *("The box in {layout} is {values}.", "({names}) = ({values})"),
            "[{values}] as [{names}]",
        )
        form = data.draw(st.sampled_from(forms))
        text = form.format(layout=layout, values=values, names=", ".join(roles.split()))
    assert reads_to("detection", text, expected), text


CORNERS = {
    **{"lower left": (0, 0), "upper right": (1, 1), "upper left": (0, 1), "lower right": (1, 0)},
    **{"bottom-left": (0, 0), "top-right": (1, 1), "top-left": (0, 1), "bottom-right": (1, 0)},
}


def check_corners(data):
    """Two opposite corners by name are the box that they span, or unread."""
    across, up = data.draw(EDGES)
    (x0, x1), (y0, y1) = sorted(across), sorted(up)
    first, second = data.draw(st.permutations(list(CORNERS)))[:2]
    points = [
        f"({(x0, x1)[CORNERS[name][0]] / 100}, {(y0, y1)[CORNERS[name][1]] / 100})"
        for name in (first, second)
    ]
    forms = (
        "{0}: {1}, {2}: {3}", "{0} corner at {1} and {2} corner at {3}", "from {0} {1} to {2} {3}",
        "{1} is the {0} corner, {3} the {2} corner", "{1} ({0}), {3} ({2})", "{0} {1}; {2} {3}",
        "the {0} and {2} corners are {1} and {3}",
    )  # fmt: skip
    text = data.draw(st.sampled_from(forms)).format(first, points[0], second, points[1])
    expected = tuple(value / 100 for value in (x0, y0, x1, y1))
    assert reads_to("detection", text, expected), text


ORIGINS = (
    *("origin at the top left", "origin: upper left", "with the origin in the top-left corner"),
    *("measured from the top", "y increases downwards", "Ursprung oben links", "原点在左上角"),
    *(
        "origine en haut à gauche",
        "origen en la esquina superior izquierda",
        "origin at the center",
    ),
    *("origem no canto superior esquerdo", "начало координат вверху слева", "原点は左上です"),
    *("origin at the lower right", "y axis pointing down", "y-down", "image coordinates, y down"),
)


def check_origin(data):
    """Numbers counted from elsewhere are never taken as counted from the lower left."""
    across, up = data.draw(EDGES)
    (x0, x1), (y0, y1) = sorted(across), sorted(up)
    values = [value / 100 for value in (x0, y0, x1, y1)]
    origin = data.draw(st.sampled_from(ORIGINS))
    names = data.draw(st.booleans())
    shown = ", ".join(
        f"{name}={value}" if names else f"{value}"
        for name, value in zip(("x0", "y0", "x1", "y1"), values, strict=True)
    )
    text = data.draw(st.sampled_from(["{0} ({1})", "{1}: {0}", "{0}, {1}"])).format(shown, origin)
    flipped = (x0 / 100, 1 - y1 / 100, x1 / 100, 1 - y0 / 100)
    assert reads_to("detection", text, *([flipped] if "left" in origin else [])), text


def check_whole_numbers(data):
    """Whole numbers above 1 in a box are pixels or per mille, whatever stands between them."""
    box = data.draw(st.tuples(*[st.integers(2, 1500)] * 4))
    between = data.draw(st.sampled_from([",", ", ", " ", ";", "),("]))
    text = f"({between.join(map(str, box))})"
    assert read_answer("detection", text).status is not AnswerStatus.OK, text


MAJOR = (
    *("major axis", "long axis", "longest diameter", "Hauptachse", "lange Achse", "grand axe"),
    *("eje mayor", "eixo maior", "asse maggiore", "большая ось", "长轴", "長軸", "장축"),
    *("المحور الرئيسي", "दीर्घ अक्ष", "major", "major_axis_mm"),
)
MINOR = (
    *("minor axis", "short axis", "shortest diameter", "Nebenachse", "kurze Achse", "petit axe"),
    *("eje menor", "eixo menor", "asse minore", "малая ось", "短轴", "短軸", "단축"),
    *("المحور الثانوي", "लघु अक्ष", "minor", "minor_axis_mm"),
)


def check_axis_names(data):
    """Named axes in either order are the major and the minor one, or unread."""
    lengths = sorted(data.draw(st.tuples(VALUES, VALUES)), reverse=True)
    index = data.draw(st.integers(0, len(MAJOR) - 1))
    named = list(zip((MAJOR[index], MINOR[index]), lengths, strict=True))
    if data.draw(st.booleans()):
        named.reverse()
    style = data.draw(
        st.sampled_from(["{}: {}", "{} = {}", "{} {} mm", '"{}": {}', "{1} mm ({0})"])
    )
    text = data.draw(st.sampled_from([", ", "; ", "\n", " and "])).join(
        style.format(*one) for one in named
    )
    assert reads_to("tl", text, tuple(float(value) for value in lengths)), text


HEADERS = (
    *("| {0} | {1} |\n|---|---|\n| {2} | {3} |", "| | {0} | {1} |\n|-|-|-|\n| mm | {2} | {3} |"),
    *(
        "| axis | {0} | {1} |\n|---|---|---|\n| length (mm) | {2} | {3} |",
        "{0} x {1}: {2} x {3} mm",
    ),
    *(
        "{0}, {1}\n{2}, {3}",
        "({0}, {1}) = ({2}, {3})",
        "{2}, {3} ({0}, {1})",
        "{0} | {1}\n{2} | {3}",
    ),
    *("{0}\t{1}\n{2}\t{3}", '{{"columns": ["{0}", "{1}"], "data": [{2}, {3}]}}'),
    *(
        "The {0} and {1} are {2} and {3} mm.",
        "[{2}, {3}] as [{0}, {1}]",
        "{2} mm x {3} mm ({0} x {1})",
    ),
    "<tr><th>{0}</th><th>{1}</th></tr><tr><td>{2} mm</td><td>{3} mm</td></tr>",
    *("| {2} | {0} |\n| {3} | {1} |", "| {0} | {2} |\n| {1} | {3} |", "{2}: {0}, {3}: {1}"),
)


def check_headers_of_axes(data):
    """Names in a header, a list or a column beside the values say which is which, or leave them."""
    lengths = sorted(data.draw(st.tuples(VALUES, VALUES)), reverse=True)
    index, form = data.draw(st.integers(0, len(MAJOR) - 1)), data.draw(st.sampled_from(HEADERS))
    named = list(zip((MAJOR[index], MINOR[index]), lengths, strict=True))
    if data.draw(st.booleans()):
        named.reverse()
    text = form.format(*(name for name, _ in named), *(length for _, length in named))
    assert reads_to("tl", text, tuple(float(value) for value in lengths)), text
    # The same names with the values turned around say that the minor axis is the longer one.
    turned = form.format(named[0][0], named[1][0], named[1][1], named[0][1])
    if named[0][0] == MINOR[index]:
        assert reads_to("tl", turned) or lengths[0] == lengths[1], turned


CHECKS = (
    check_headers_of_axes,
    *(check_unit, check_units_of_axes, check_no_unit, check_bounds, check_ranges, check_layout),
    *(check_corners, check_origin, check_whole_numbers, check_axis_names),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@given(data=st.data())
@FEW
def test_never_a_wrong_number(check, data):
    check(data)


@pytest.mark.parametrize(("unit", "factor"), [*MM.items(), *DEGREES.items()])
def test_each_unit_is_read_where_it_is_plain(unit, factor):
    """That much is read at least: the properties alone would hold for a reader that never reads."""
    for text in (
        f"12.5 {unit}",
        f'{{"value": 12.5, "unit": "{unit}"}}',
        f"The value is 12.5 {unit}.",
    ):
        assert read_answer("ad", text).values == pytest.approx((12.5 * factor,)), text


@pytest.mark.parametrize("form", HEADERS)
def test_each_header_is_read_in_either_order(form):
    for major, minor in zip(MAJOR[:3], MINOR[:3], strict=True):
        for text in (
            form.format(major, minor, "31.2", "18.0"),
            form.format(minor, major, "18.0", "31.2"),
        ):
            assert read_answer("tl", text).values == (31.2, 18.0), text


@pytest.mark.parametrize(
    "text",
    [
        "SAD x LAD: 31.2 x 18.0 mm",
        "CC x TR: 31.2 x 18.0 mm",
        "in reverse order: 31.2, 18.0",
        "31.2, 18.0 (reversed)",
        "in umgekehrter Reihenfolge: 31.2, 18.0",
        "en orden inverso: 31.2, 18.0",
        "в обратном порядке: 31.2, 18.0",
        "width x length: 31.2 x 18.0 mm",
        "The minor axis is smaller than the major one: 18.0, 31.2",
        "I looked at the minor and major axes. Result: 18.0 x 31.2 mm",
        "18.0 x 31.2 mm near minor vessels and the major vessel",
        "| minor | major |\n|---|---|\n| 18.0 (major) | 31.2 (minor) |",
    ],
)
def test_names_that_do_not_settle_the_order_leave_it_unread(text):
    assert read_answer("tl", text).status is not AnswerStatus.OK


@pytest.mark.parametrize(("major", "minor"), list(zip(MAJOR, MINOR, strict=True)))
def test_each_name_of_an_axis_is_read(major, minor):
    assert read_answer("tl", f"{major}: 31.2 mm, {minor}: 18.0 mm").values == (31.2, 18.0)
    assert read_answer("tl", f"{minor}: 18.0 mm, {major}: 31.2 mm").values == (31.2, 18.0)
