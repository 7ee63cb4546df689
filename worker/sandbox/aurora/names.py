# ruff: noqa: RUF001 -- letters of many scripts are the point of this file
"""Invented people and places in many scripts, as pools the generator draws from."""

from __future__ import annotations

from typing import NamedTuple


class Culture(NamedTuple):
    """Of a hundred members, how many; their names, places and language."""

    share: int
    language: str
    first: tuple[str, ...]
    last: tuple[str, ...]
    places: tuple[str, ...]
    # Latin spellings for logins and addresses.
    latin: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LATIN = _words(
    "ada alan alba amir anna aydin bela bruno chidi clara dana dilip egor elena emeka "
    "farid fiona goran grace hana hugo ines ivan jana jonas kaito karin lea luis maja "
    "marek mei mina nadia nils noor olga omar pavel priya quinn rafa rosa sami sana "
    "selma taro tess uma vera wen xenia yara yusuf zeynep zoe"
)

CULTURES = (
    Culture(
        30,
        "en",
        _words(
            "James Mary Olivia Liam Noah Emma Ava Ethan Mia Lucas Grace Owen Nora "
            "Seán Zoë Chloë Siobhán D'Arcy Anne-Marie Mary-Kate"
        ),
        (
            *_words("Smith Johnson Brown O'Brien O'Neil Clark Wright Ng Müller-Lyer"),
            *_words("MacLeod D'Angelo St.John Featherstonehaugh O’Reilly Baker Hill"),
            "van der Berg",
            "de la Cruz",
            "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaft",
        ),
        ("Springfield", "St. John's, NL", "London", "Austin, TX", "Perth"),
        _LATIN,
    ),
    Culture(
        18,
        "de",
        _words("Jürgen Käthe Øyvind Åsa François Zoé Łukasz Małgorzata Dvořák Ñusta"),
        _words("Müller Groß Ångström Sjöberg Nováková Wójcik Hämäläinen Nguyễn Çelik"),
        ("Köln", "Zürich", "Łódź", "Århus", "Reykjavík", "Đà Nẵng"),
        _LATIN,
    ),
    Culture(
        9,
        "es",
        _words("José María Íñigo Begoña Núria João Conceição Ângela Óscar Renée"),
        _words("García Muñoz Peña Güell Gonçalves Araújo Núñez Ibáñez Salvà Lacoë"),
        ("A Coruña", "São Paulo", "Bogotá", "Asunción", "León"),
        _LATIN,
    ),
    Culture(
        8,
        "ru",
        _words("Анна Дмитрий Ольга Сергей Юлия Олександр Їжакевич Ђорђе Živko Щорс"),
        _words("Иванова Петров Щербаков Шевченко Кузьмин Ёлкина Јовановић Ґонта"),
        ("Київ", "Москва", "Београд", "София"),
        _LATIN,
    ),
    Culture(
        4,
        "el",
        _words("Γιώργος Ελένη Νίκος Μαρία Θεόδωρος Άννα Ιωάννης Σοφία"),
        _words("Παπαδόπουλος Γεωργίου Οικονόμου Νικολαΐδης Ζαχαρίας"),
        ("Αθήνα", "Θεσσαλονίκη"),
        _LATIN,
    ),
    Culture(
        5,
        "ar",
        _words("محمد فاطمة عليّ خديجة يوسف ليلى"),
        (*_words("الخطيب حدّاد العربي"), "عبد الرحمن", "بن سعيد"),
        ("القاهرة", "بيروت", "الدار البيضاء"),
        _LATIN,
    ),
    Culture(
        3,
        "he",
        _words("דוד שרה נועם תמר יעל אבי"),
        _words("כהן לוי מזרחי פרץ בן־דוד"),
        ("תל אביב", "חיפה"),
        _LATIN,
    ),
    Culture(
        6,
        "hi",
        _words("आरव प्रिया सुनीता विक्रम ज्योति श्रीनिवास"),
        _words("शर्मा वर्मा कुलकर्णी त्रिपाठी अय्यर"),
        ("मुंबई", "नई दिल्ली", "ಬೆಂಗಳೂರು", "சென்னை"),
        _LATIN,
    ),
    Culture(
        3,
        "th",
        _words("สมชาย สุดา ณัฐวุฒิ ศิริพร"),
        _words("สุขสวัสดิ์ แซ่ตั้ง วงศ์สวัสดิ์"),
        ("กรุงเทพฯ", "เชียงใหม่"),
        _LATIN,
    ),
    Culture(
        8,
        "ja",
        _words("太郎 花子 さくら 健一 ユウキ 𠮷彦"),
        _words("佐藤 鈴木 𠮷田 髙橋 渡邉"),
        ("東京都千代田区", "大阪", "北海道"),
        _LATIN,
    ),
    Culture(
        4,
        "zh",
        _words("伟 芳 小明 建国 𡥂"),
        _words("王 李 欧阳 司马 𠀋"),
        ("北京", "臺北市", "香港"),
        _LATIN,
    ),
    Culture(
        2,
        "ko",
        _words("민준 서연 지훈 하은"),
        _words("김 이 박 남궁"),
        ("서울", "부산광역시"),
        _LATIN,
    ),
)

EMOJI = _words("🦊 🚀 🧑🏽‍💻 👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇦 🐉 ☕️ 𝓐𝓭𝓪 𝔘𝔫𝔦 🪐")

SENTENCES = (
    "I answer questions about printers.",
    "Ich baue Roboter & schreibe über <i>Zahnräder</i>.",
    "コミュニティの皆さん、よろしくお願いします。",
    "Люблю паять и читать спецификации.",
    "Coffee first ☕️, then firmware 🚀.",
    'She said "it\'s fine", so it was; mostly; sometimes.',
    "مهندسة برمجيات تحب القطط",
    "Long-time lurker, first-time poster.\nSecond line, with a\ttab.",
    "नमस्ते! मैं नेटवर्क पर काम करती हूँ।",
    "1, 2; 3 | 4, \\backslash\\ and `ticks`.",
)

DOMAINS = _words(
    "mail.example post.example corp.example uni.example maker.example hosting.example "
    "xn--bro-hoa.example a-very-long-subdomain.of-a-customer.example"
)
COMPANIES = (
    "Aperture GmbH & Co. KG",
    "O'Hara's Hardware",
    "株式会社サンプル",
    "Ünïted Widgets, Inc.",
    "ООО «Пример»",
    "Smith; Sons",
)
TIME_ZONES = _words(
    "America/St_Johns Asia/Kathmandu Australia/Lord_Howe Pacific/Chatham Europe/Berlin "
    "America/Sao_Paulo Pacific/Kiritimati Africa/Casablanca UTC"
)
