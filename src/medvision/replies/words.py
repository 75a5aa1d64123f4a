"""Words that stand beside numbers, by what they make of them, in the languages models fall into.

A number is read only where the word before it, and the word after it if no unit follows, is known
to leave it what it is: an answer. All other words (of bounds, counts, slices, units nobody knows)
make it something else, so a list that lacks a word costs an answer and never makes a wrong one.
Languages in turn: English, German, French, Spanish, Portuguese, Italian, Russian, Chinese,
Japanese, Korean, Arabic, Hindi.
"""

import re
from collections.abc import Sequence

from medvision.replies.plain_text import fold
from medvision.replies.units import Dimension, words_of

WORD = r"(?:[^\W\d_]|[\u0900-\u0963\u0970-\u097f])"
"""A letter, as a regex: any script's, Devanagari's vowel signs included."""

_UNSPACED = r"\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff"
UNSPACED = re.compile(f"[{_UNSPACED}]")
"""Scripts whose words touch each other and the numbers; Korean is spaced but bears particles."""

WORDS = re.compile(rf"[{_UNSPACED}]+|(?:(?![{_UNSPACED}]){WORD})+")
"""Words of a text; "角度为up" is two."""


def _words(*lines: str) -> frozenset[str]:
    return frozenset(fold(word).lower() for line in lines for word in line.split())


ABOUT = _words(
    "about around approximately approx roughly circa ca estimated nearly almost exactly",
    "precisely",
    "etwa ungefähr rund zirka geschätzt genau environ approximativement presque exactement",
    "aproximadamente alrededor unos exactamente cerca exatamente circa approssimativamente quasi",
    "esattamente примерно около приблизительно ориентировочно ровно точно",
    "约 約 大约 大約 约为 およそ 約 약 대략 تقريبا حوالي نحو लगभग करीब तकरीबन",
)

MAJOR = _words(
    "lad lax major long longer longest largest larger greatest length maximum maximal max",
    "hauptachse große großer größte größter lang lange langer längste längster länge längsachse",
    "langachse längsdurchmesser majeur grand longueur long mayor largo longitud",
    "maior longo comprimento maggiore lungo lunga lunghezza",
    "большая большой большого длинная длинный наибольший наибольшая главная длина",
    "الرئيسي الأكبر الطويل الطول الرئيسى प्रमुख दीर्घ मुख्य लंबा लंबाई बड़ा",
)
MINOR = _words(
    "sad sax minor short shorter shortest smallest smaller width wide perpendicular orthogonal",
    "nebenachse kleine kleiner kleinste kleinster kurz kurze kurzer kürzeste kürzester breite",
    "querachse kurzachse querdurchmesser mineur petit largeur court menor corto ancho anchura",
    "curto largura minore corto corta larghezza",
    "малая малый малого короткая короткий наименьший наименьшая ширина",
    "الثانوي الأصغر القصير العرض लघु गौण छोटा चौड़ाई",
)
MAJOR_UNSPACED = tuple(
    map(
        fold,
        (
            "长轴",
            "长径",
            "長軸",
            "長径",
            "長徑",
            "最大径",
            "最长径",
            "主轴",
            "主軸",
            "长直径",
            "最大直径",
            "장축",
            "장경",
            "긴",
        ),
    )
)
MINOR_UNSPACED = tuple(
    map(fold, ("短轴", "次轴", "短直径", "短径", "短軸", "短徑", "단축", "단경", "짧은"))
)
"""Names of the two axes; lengths and widths among them."""

SIZE_WORDS = _words(
    "length width wide breite länge longueur largeur longitud ancho anchura comprimento",
    "largura lunghezza larghezza длина ширина الطول العرض लंबाई चौड़ाई",
)
"""Of these, the ones that do not say which is the longer: their order is never changed."""

_SETTING = _words(
    # English
    "is are was were be being been measures measure measured measuring equals equal to of at as",
    "s re and by with x value values answer answers result results angle angles distance distances",
    "axis axes diameter diameters area size sizes dimension dimensions extent reading estimate",
    "estimation measurement measurements mm cm degrees deg spans spanning covers covering has have",
    "reads gives report reported yields obtain obtained get got find found calculated computed",
    "likely probably thus therefore hence so total totals comes output prediction predicted",
    "separation gap height says say",
    # German
    "ist sind beträgt betragen misst messen gemessen gleich von und mal mit winkel abstand",
    "distanz achse achsen durchmesser fläche flächeninhalt größe wert werte antwort ergebnis zu",
    "lautet bei ca",
    # French
    "est sont mesure mesurent mesurant égale vaut de d et par sur avec angle axe axes",
    "diamètre surface aire superficie taille valeur réponse résultat à fait donne",
    # Spanish, Portuguese, Italian
    "es son mide miden igual vale y por con ángulo distancia eje ejes diámetro área superficie",
    "tamaño valor respuesta resultado a será é são mede medem e com ângulo distância eixo eixos",
    "diâmetro tamanho resposta è sono misura misurano pari per angolo distanza asse assi diametro",
    "dimensione valore risposta risultato di",
    # Russian
    "составляет составляют равен равна равно равны и на угол расстояние ось оси диаметр площадь",
    "размер размеры значение ответ результат это",
    # Arabic
    "هو هي يساوي تساوي يبلغ تبلغ و في زاوية الزاوية المسافة مسافة المحور محور القطر قطر المساحة",
    "مساحة القيمة الجواب الإجابة النتيجة قياس بمقدار طوله",
    # Hindi
    "है हैं और गुणा कोण दूरी अक्ष व्यास क्षेत्रफल क्षेत्र मान उत्तर परिणाम माप आकार",
)
_WITH_UNIT = _words(
    "a an the tumor tumour lesion mass nodule cyst structure organ region ein eine der die das",
    "einem einer tumor läsion un une le la tumeur lésion una el lesión um uma o lesão massa",
    "il tumore lesione опухоль образование ورم आफ ट्यूमर",
)
_UNSPACED_BEFORE = tuple(
    _words(
        "为 為 是 约 約 有 达 長 长 宽 寬 径 徑 轴 軸 角 离 離 积",
        "積 值 値 さ は が で と 和 与 與 乘 乘以 大小 小为 案 果",
        "およそ ほぼ 夹角 角度 꼴 는 은 가 이 약 와 과 길이 거리 각도",
        "각 면적 값 축 경 크기 답 결과 대략 긴 하기 轴长 度为",
    )
)
_FOLLOWING = _words(
    "and by x with in at on for from as is are was based which where respectively according",
    "between",
    "when because since given approximately here along across measured using relative",
    "und mal ist sind mit im zwischen et par sur est sont dans entre y por es son en con e è",
    "sono in",
    "tra com no na é são и на это между و في هو هي بين और है हैं गुणा",
)
_UNSPACED_AFTER = tuple(
    _words(
        "左右 的 和 与 與 以及 且 而 是 为 乘 长 宽 です で と の だ",
        "ほど 程度 くらい ぐらい である 長 幅 입니다 이고 이며 이다 정도",
        "와 과 의 로 인 곱하기 고",
    )
)
_SPACED_AFTER_UNIT = _words(
    "و في تقريبا بين هو هي طولا عرضا للزاوية للمسافة للمحور",
    "है हैं और का की के व तथा होगा होगी होता होती लंबा चौड़ा गुणा था थी",
)

_BEFORE = _SETTING | ABOUT | SIZE_WORDS
_BEFORE_AXIS = (MAJOR | MINOR) - _words("max maximum maximal")

PARTICLES = ABOUT | _words(
    "of to a an the as d de du des à au do da di del zu zum als que che чем than"
)
"""Words that go with the one before them: "a maximum of about 45" is a bound."""
BOUNDS = _words(
    "under below less fewer lower more over above beyond exceeding exceeds exceed least most",
    "up down",
    "upwards upward excess maximum minimum max min maximal minimal limit limited than between",
    "within",
    "not isn aren t no never only range order multiple if unlike",
    "unter über weniger mehr höchstens mindestens bis kleiner größer unterhalb oberhalb zwischen",
    "nicht kein keine moins plus jusqu jusque sous dessous dessus inférieur inférieure supérieur",
    "supérieure dépasse entre pas menos más hasta menor mayor máximo mínimo máxima mínima inferior",
    "superior mais até maior pelo meno più fino oltre almeno massimo minimo tra fra inferiore",
    "superiore non não no менее более до свыше меньше больше не от между минимум максимум",
    "выше ниже",
    "أقل أكثر حتى فوق تحت بين ليس من كم कम अधिक ज्यादा",
)
"""Words that make a bound, a range or a denial of the number after them."""

BOUND_LABELS = _words(
    "max maximum maximal min minimum minimal mind limit range average mean typical normal",
    "grenze bereich mittel maximum mittelwert plage moyenne máximo mínimo rango media límite",
    "máx mín",
    "faixa média massimo minimo intervallo максимум минимум диапазон среднее",
)
NUMBERED = _words(
    "slice slices frame step fig figure table page case patient series question task option",
    "item no n p pp pg eq eqn img",
    "nr num number index grade stage age year window level zoom phase scan reference ref",
    "schicht schnitt schritt abb abbildung tabelle seite nummer stufe frage",
    "coupe étape tableau page numéro cas corte paso tabla página número caso figura fatia passo",
    "tabela fetta sezione fase tabella pagina numero срез срезе шаг рис рисунок таблица номер",
    "شريحة الشريحة خطوة الخطوة شكل الشكل جدول رقم صورة स्लाइस चरण चित्र तालिका संख्या",
)
"""Things that a number beside them counts or names."""
OTHER_SIZES = _words(
    "half twice double triple third quarter complement supplement radius radii semi volume",
    "perimeter",
    "circumference field normal normally typical typically usual usually average adult",
    "expected range",
    "threshold cutoff cut bound limit located location coordinates coordinate endpoint",
    "endpoints point",
    "points starting nearest accurate rounded ratio percentage halb hälfte doppelt",
    "radius umfang normal moitié rayon volume mitad radio volumen metade raio metà raggio половина",
    "радиус объем объём",
    "confidence probability certainty score accuracy spacing resolution pixel",
    "pixels voxel",
    "voxels fov magnification scale error uncertainty margin tolerance std sd deviation",
    "konfidenz pixelgröße pixelabstand schichtdicke auflösung fehler toleranz",
    "confiance résolution espacement erreur confianza resolución espaciado",
    "confiança resolução espaçamento erro confidenza risoluzione spaziatura",
    "уверенность разрешение пикселя ошибка погрешность",
    "الثقة ثقة الدقة البكسل الخطأ विश्वास रिज़ॉल्यूशन पिक्सेल त्रुटि",
)
"""Sizes and shares that are not what was asked for."""
THICKNESS = _words("thickness dicke épaisseur espesor espessura spessore толщина سمك मोटाई")
"""A size like any other, but for a slice's."""
_THE = _words("the this that each same der die das dieser dem le la cette el esta este a o questa")

_AFTER = _FOLLOWING | ABOUT | MAJOR | MINOR
JOINTS = ABOUT | _words(
    "and by x und mal et par sur y por e per и на و في और गुणा",
)
"""Words between two numbers that leave them two values of one answer."""

_UNSPACED_JOINTS = _words(
    "和 与 與 乘 乘以 以及 と かける 와 과 곱하기",
)

BOX_JOINTS = JOINTS | _words(
    "to from until is are at of in lies starts ends start end begins extends through then the a an",
    "corner corners point points coordinates coordinate first second",
    "zu bis von à de jusqu a hasta desde até da fino do до от from ecke",
)
"""Words between the numbers of a box, besides the names of its coordinates."""


def introduces(words: Sequence[str], *, has_unit: bool, is_axis: bool) -> bool:
    """Whether the words of a clause right before a number leave it an answer.

    Args:
        words: In their order, at least one, in lower case.
        has_unit: Whether the number has a unit: nouns may then stand before it.
        is_axis: Whether two axes are asked for, so that "major" and the like may.

    Example:
        >>> introduces(["length", "is", "about"], has_unit=False, is_axis=False)
        True
        >>> introduces(["up", "to", "about"], has_unit=False, is_axis=False)
        False
    """
    last = words[-1]
    known = (
        last in _BEFORE
        or (is_axis and last in _BEFORE_AXIS)
        or (has_unit and last in _WITH_UNIT)
        or last.endswith(_UNSPACED_BEFORE)
    )
    if not known or _is_other_size(words[-5:]):
        return False
    if last not in PARTICLES and is_axis and last in _BEFORE_AXIS:
        return True  # "menor" names an axis, though "menor de" makes a bound
    head = next((word for word in reversed(words) if word not in PARTICLES), "")
    return head not in BOUNDS


DENIALS = _words("than not isn aren never if unlike nicht kein keine pas не")
"""Words that deny or bound what comes after a few more words: "less than or equal to 45"."""
_PICTURES = _words(
    "image picture matrix grid bild bildgröße imagen imagem immagine изображение изображения"
)
_IN = _words("in on from of im auf dans sur en sobre na su в на")
_OF_A_PICTURE = _words(
    "is was has size sizes dimension dimensions resolution width height of in px shape measures are"
)


def _is_other_size(words: Sequence[str]) -> bool:
    """Whether a clause speaks of another size than the one asked for."""
    for at, word in enumerate(words):
        # "the image is 512 x 512", but "the lesion in this image is 31 x 18 mm"
        if (
            word in _PICTURES
            and _OF_A_PICTURE.issuperset(words[at + 1 :])
            and _IN.isdisjoint(words[max(0, at - 2) : at])
        ):
            return True
    if not DENIALS.isdisjoint(words[-4:]):
        return True
    return not OTHER_SIZES.isdisjoint(words) or not (
        THICKNESS.isdisjoint(words) or NUMBERED.isdisjoint(words)
    )


def labels(words: Sequence[str], *, is_axis: bool) -> bool:
    """Whether the words before the colon, point or equals sign before a number leave it an answer.

    Example:
        >>> labels(["cobb", "angle"], is_axis=False), labels(["slice"], is_axis=False)
        (True, False)
    """
    last = words[-1]
    if _is_other_size(words[-4:]) or (not is_axis and last in BOUND_LABELS):
        return False
    return last not in NUMBERED or (len(words) > 1 and words[-2] in _THE)


_KINDS = {
    "deg": _words(
        "angle angles angulation winkel ángulo ángulos ângulo ângulos angolo angoli угол угла углы",
        "زاوية الزاوية कोण",
    )
    | words_of(Dimension.ANGLE),
    "mm": _words(
        "distance distances length lengths separation gap abstand distanz länge longueur",
        "distancia distancias longitud distância comprimento distanza lunghezza расстояние",
        "расстояния длина المسافة مسافة طول الطول दूरी लंबाई",
    )
    | words_of(Dimension.LENGTH),
}
_UNSPACED_KINDS = {
    "deg": tuple(map(fold, ("角", "각도", "각은", "각이"))),
    "mm": tuple(map(fold, ("距", "거리", "长度", "長さ", "길이"))),
}


def kinds_named(words: Sequence[str]) -> set[str]:
    """What words speak of: "deg" for angles and their units, "mm" for lengths and theirs.

    Example:
        >>> kinds_named(["the", "distance", "is"]), kinds_named(["it", "is"])
        ({'mm'}, set())
    """
    return {
        unit
        for unit, named in _KINDS.items()
        if not named.isdisjoint(words)
        or any(part in word for word in words for part in _UNSPACED_KINDS[unit])
    }


def is_known_after(word: str, *, has_unit: bool) -> bool:
    """Whether a word right after a number, or after its unit, leaves it an answer.

    After a unit, words of spaced Latin and Cyrillic text are not looked at here: what they can make
    of a value are bounds and rates, which are few (see `doubts`).
    """
    word = word.lower()
    if UNSPACED.match(word):
        return word.startswith(_UNSPACED_AFTER)
    if not has_unit:
        return word in _AFTER
    return word < "\u0590" or word in _SPACED_AFTER_UNIT


def is_known_aside(word: str) -> bool:
    """Whether a word alone in brackets after a number leaves it an answer: no unit, then.

    Example:
        >>> is_known_aside("minor"), is_known_aside("zork")
        (True, False)
    """
    word = word.lower()
    return word in _BEFORE or word in _AFTER or word.endswith(_UNSPACED_BEFORE)


def is_joint(word: str) -> bool:
    """Whether a word may stand between the two axes.

    Example:
        >>> is_joint("by"), is_joint("or")
        (True, False)
    """
    word = word.lower()
    return word in JOINTS or word in _UNSPACED_JOINTS
