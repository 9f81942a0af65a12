"""Small files of the formats beside PDF and DOCX, made on the spot."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage

_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
_SHEETS = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_MAIN = "application/vnd.openxmlformats-officedocument"

RTF = rb"{\rtf1\ansi {\fonttbl{\f0 Times;}}\f0 Hello {\b bold} world. Caf\'e9.\par Second paragraph.\par}"


def zipped(members: Mapping[str, str | bytes], mimetype: str | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)  # stored, and the first
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def pptx(slides: Sequence[tuple[str, str]]) -> bytes:
    """A PPTX of slides with a title and a text."""
    numbers = range(1, len(slides) + 1)
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="rId{n}"/>' for n in numbers)
    presentation = (
        f'<p:presentation xmlns:p="{_SLIDES}" xmlns:r="{_OFFICE}"><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>'
    )
    files = {f"/ppt/slides/slide{n}.xml": f"{_MAIN}.presentationml.slide+xml" for n in numbers}
    return zipped(
        {
            **_package("ppt/presentation.xml", f"{_MAIN}.presentationml.presentation.main+xml", files),
            "ppt/presentation.xml": presentation,
            "ppt/_rels/presentation.xml.rels": _relations({f"slides/slide{n}.xml": "slide" for n in numbers}),
            **{f"ppt/slides/slide{n}.xml": _slide(*slide) for n, slide in enumerate(slides, 1)},
        }
    )


def xlsx(rows: Sequence[Sequence[str]], sheet: str = "People") -> bytes:
    """An XLSX of one sheet."""
    cells = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(65 + at)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>' for at, cell in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    sheets = f'<sheets><sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets>'
    files = {"/xl/worksheets/sheet1.xml": f"{_MAIN}.spreadsheetml.worksheet+xml"}
    return zipped(
        {
            **_package("xl/workbook.xml", f"{_MAIN}.spreadsheetml.sheet.main+xml", files),
            "xl/workbook.xml": f'<workbook xmlns="{_SHEETS}" xmlns:r="{_OFFICE}">{sheets}</workbook>',
            "xl/_rels/workbook.xml.rels": _relations({"worksheets/sheet1.xml": "worksheet"}),
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEETS}"><sheetData>{cells}</sheetData></worksheet>',
        }
    )


def epub(chapters: Sequence[tuple[str, str]], doctype: str = "") -> bytes:
    """An EPUB of chapters with a heading and a paragraph; `doctype` stands before each."""
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    order = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    about = '<dc:identifier id="id">x</dc:identifier><dc:title>A book</dc:title><dc:language>en</dc:language>'
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{about}</metadata><manifest>{items}</manifest>'
        f"<spine>{order}</spine></package>"
    )
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
        'full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    pages = {
        f"c{n}.xhtml": f'{doctype}<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{title}</title></head>'
        f"<body><h1>{title}</h1><p>{text}</p></body></html>"
        for n, (title, text) in enumerate(chapters)
    }
    return zipped({"META-INF/container.xml": container, "content.opf": package, **pages}, "application/epub+zip")


def eml(text: str | None, html: str | None = None) -> bytes:
    """A mail with a subject and an attachment."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Your bill", "anna@example.com", "bert@example.com"
    if text is None:
        mail.set_content(html or "", subtype="html")
    else:
        mail.set_content(text)
        if html:
            mail.add_alternative(html, subtype="html")
    mail.add_attachment("what is attached", filename="note.txt")
    return bytes(mail)


def pdf(pages: Sequence[str]) -> bytes:
    """A PDF with a line of ASCII on each page; an empty one has nothing on it."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids: list[int] = []
    for line in pages:
        stream = b"BT /F1 12 Tf 72 700 Td (%s) Tj ET" % line.encode() if line else b""
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        about = b"/Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(b"<< /Type /Page %s /Contents %d 0 R >>" % (about, len(objects)))
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(b"%d 0 R" % kid for kid in kids), len(kids))
    content, offsets = bytearray(b"%PDF-1.4\n"), list[int]()
    for number, written in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return bytes(content) + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, len(content))
    )


def _package(main: str, main_type: str, files: Mapping[str, str]) -> dict[str, str]:
    types = "".join(
        f'<Override PartName="{name}" ContentType="{type_}"/>'
        for name, type_ in {f"/{main}": main_type, **files}.items()
    )
    default = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{default}{types}</Types>',
        "_rels/.rels": _relations({main: "officeDocument"}),
    }


def _relations(targets: Mapping[str, str]) -> str:
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (target, kind) in enumerate(targets.items(), 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>'


def _slide(title: str, text: str) -> str:
    shapes = "".join(
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="s{number}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr>'
        f"</p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/><a:p><a:r><a:t>{said}</a:t></a:r></a:p></p:txBody></p:sp>"
        for number, (kind, said) in enumerate([("title", title), ("body", text)], 2)
    )
    group = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
    return (
        f'<p:sld xmlns:p="{_SLIDES}" xmlns:a="{_DRAWING}" xmlns:r="{_OFFICE}"><p:cSld><p:spTree>{group}{shapes}'
        "</p:spTree></p:cSld></p:sld>"
    )
