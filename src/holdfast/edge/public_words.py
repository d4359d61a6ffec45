"""What the public pages (statements, list of blocks, grounds) say, in the languages of the block page.

Here belong their sentences and labels; what they share with the block page is in ``dataplane.page_words``.
Not here: markup, and a statement's own words, which come in the language that they were written in.
``{…}`` stand for a name or a number; no sentence asks gender or case of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from holdfast.model.grounds import Measure


@dataclass(frozen=True, slots=True)
class PublicWords:
    """One language."""

    language: str
    """Its own name."""
    in_force: str
    lifted: str
    over: str
    not_in_force: str
    """Its proof does not hold here."""
    block: dict[Measure, str]
    """What is blocked, as a heading; ``{name}`` is that of the site, hostname or customer."""
    measures: dict[Measure, str]
    """What a ground admits."""
    part: str
    hostnames: str
    decided: str
    approved: str
    lifted_at: str
    statement: str
    record: str
    record_lede: str
    """``{index}``: the number of the entry."""
    log: str
    entry: str
    size: str
    files: str
    proof: tuple[str, str]
    """(label, sentence), as the next three, and those of ``blocks`` and ``grounds``."""
    entry_file: tuple[str, str]
    raw: tuple[str, str]
    grounds_file: tuple[str, str]
    check: str
    check_save: str
    check_key: str
    check_statement: str
    more: str
    blocks: tuple[str, str]
    grounds: tuple[str, str]
    index: str
    index_lede: str
    none: str
    grounds_lede: str
    clause: str
    version: str
    hash: str
    admits: str
    most_days: str
    """``{days}``: how many."""
    legal: str
    languages: str


PUBLIC_WORDS: Final[dict[str, PublicWords]] = {
    "en": PublicWords(
        language="English",
        in_force="in force",
        lifted="lifted",
        over="over",
        not_in_force="not in force",
        block={
            Measure.URL: "Block of a part of the site {name}",
            Measure.HOSTNAME: "Block of the hostname {name}",
            Measure.SITE: "Block of the site {name}",
            Measure.CUSTOMER: "Block of all sites of the customer {name}",
        },
        measures={
            Measure.URL: "a part of a site",
            Measure.HOSTNAME: "a hostname",
            Measure.SITE: "a site",
            Measure.CUSTOMER: "all sites of a customer",
        },
        part="What is blocked",
        hostnames="Hostnames",
        decided="Decided by",
        approved="Approved by",
        lifted_at="Lifted",
        statement="Statement",
        record="Record",
        record_lede="This decision is entry {index} of a public log. Nothing that is in the log can be "
        "changed or removed unseen, not even by the provider.",
        log="Log",
        entry="Entry",
        size="Entries that the proof covers",
        files="Files to keep",
        proof=("Proof", "That the entry is in the log. Checked offline."),
        entry_file=("Entry", "The decision, as the log holds it."),
        raw=("Statement as text", "Byte for byte, as it was recorded."),
        grounds_file=("Grounds file", "The reasons for which anything may be blocked at all."),
        check="Check it yourself",
        check_save="Save the proof and the entry, and run:",
        check_key="Compare the log’s key in this command with one from a place that you trust: whoever could "
        "forge this page could forge the key on it too.",
        check_statement="The entry names the SHA-256 of the statement and of the grounds file that was "
        "cited:",
        more="More",
        blocks=("All blocks", "Those in force, and those that have ended."),
        grounds=("Grounds", "The reasons for which anything may be blocked."),
        index="Blocks",
        index_lede="Every block of this provider, the latest first. Each has a public statement, and a proof "
        "that it is on the record.",
        none="Nothing is blocked, and nothing has been.",
        grounds_lede="Only what stands here may be a reason for a block, and only for what it admits. The "
        "file itself is on the record, so that it cannot be changed unseen.",
        clause="Clause {clause}",
        version="Version",
        hash="SHA-256",
        admits="May be blocked",
        most_days="for {days} days at most",
        legal="only after a legal demand",
        languages="Languages",
    ),
    "de": PublicWords(
        language="Deutsch",
        in_force="in Kraft",
        lifted="aufgehoben",
        over="abgelaufen",
        not_in_force="nicht in Kraft",
        block={
            Measure.URL: "Sperre eines Teils der Website {name}",
            Measure.HOSTNAME: "Sperre des Hostnamens {name}",
            Measure.SITE: "Sperre der Website {name}",
            Measure.CUSTOMER: "Sperre aller Websites der Kundschaft {name}",
        },
        measures={
            Measure.URL: "ein Teil einer Website",
            Measure.HOSTNAME: "ein Hostname",
            Measure.SITE: "eine Website",
            Measure.CUSTOMER: "alle Websites einer Kundin oder eines Kunden",
        },
        part="Was gesperrt ist",
        hostnames="Hostnamen",
        decided="Entschieden durch",
        approved="Bestätigt durch",
        lifted_at="Aufgehoben",
        statement="Erklärung",
        record="Nachweis",
        record_lede="Diese Entscheidung ist Eintrag {index} eines öffentlichen Protokolls. Nichts, was darin "
        "steht, lässt sich unbemerkt ändern oder entfernen, auch nicht vom Anbieter.",
        log="Protokoll",
        entry="Eintrag",
        size="Einträge, die der Beweis umfasst",
        files="Dateien zum Aufbewahren",
        proof=("Beweis", "Dass der Eintrag im Protokoll steht. Offline prüfbar."),
        entry_file=("Eintrag", "Die Entscheidung, wie sie im Protokoll steht."),
        raw=("Erklärung als Text", "Byte für Byte, wie sie festgehalten wurde."),
        grounds_file=("Datei der Gründe", "Aus welchen Gründen überhaupt gesperrt werden darf."),
        check="Selbst prüfen",
        check_save="Speichern Sie Beweis und Eintrag und führen Sie aus:",
        check_key="Vergleichen Sie den Schlüssel des Protokolls in diesem Befehl mit einem aus einer Quelle, "
        "der Sie vertrauen: Wer diese Seite fälschen könnte, könnte auch den Schlüssel darauf fälschen.",
        check_statement="Der Eintrag nennt den SHA-256-Wert der Erklärung und der Datei der Gründe, auf die "
        "sie sich beruft:",
        more="Weiteres",
        blocks=("Alle Sperren", "Die geltenden und die beendeten."),
        grounds=("Gründe", "Aus welchen Gründen gesperrt werden darf."),
        index="Sperren",
        index_lede="Alle Sperren dieses Anbieters, die neueste zuerst. Zu jeder gibt es eine öffentliche "
        "Erklärung und den Beweis, dass sie festgehalten ist.",
        none="Nichts ist gesperrt, und nichts war es.",
        grounds_lede="Nur was hier steht, darf Grund einer Sperre sein, und nur in dem Umfang, den es "
        "zulässt. Die Datei selbst ist im Protokoll festgehalten und lässt sich nicht unbemerkt ändern.",
        clause="Klausel {clause}",
        version="Fassung",
        hash="SHA-256",
        admits="Gesperrt werden darf",
        most_days="höchstens {days} Tage lang",
        legal="nur nach rechtlicher Aufforderung",
        languages="Sprachen",
    ),
    "fr": PublicWords(
        language="Français",
        in_force="en vigueur",
        lifted="levé",
        over="terminé",
        not_in_force="pas en vigueur",
        block={
            Measure.URL: "Blocage d’une partie du site {name}",
            Measure.HOSTNAME: "Blocage du nom d’hôte {name}",
            Measure.SITE: "Blocage du site {name}",
            Measure.CUSTOMER: "Blocage de tous les sites du client {name}",
        },
        measures={
            Measure.URL: "une partie d’un site",
            Measure.HOSTNAME: "un nom d’hôte",
            Measure.SITE: "un site",
            Measure.CUSTOMER: "tous les sites d’un client",
        },
        part="Ce qui est bloqué",
        hostnames="Noms d’hôte",
        decided="Décision prise par",
        approved="Décision approuvée par",
        lifted_at="Levé",
        statement="Déclaration",
        record="Registre",
        record_lede="Cette décision est l’entrée {index} d’un journal public. Rien de ce qu’il contient ne "
        "peut être modifié ou retiré à l’insu de tous, pas même par le fournisseur.",
        log="Journal",
        entry="Entrée",
        size="Entrées couvertes par la preuve",
        files="Fichiers à conserver",
        proof=("Preuve", "Que l’entrée figure dans le journal. Vérifiable hors ligne."),
        entry_file=("Entrée", "La décision, telle que le journal la contient."),
        raw=("Déclaration en texte brut", "Octet pour octet, telle qu’elle a été consignée."),
        grounds_file=("Fichier des motifs", "Pour quels motifs un blocage est possible."),
        check="Vérifier soi-même",
        check_save="Enregistrez la preuve et l’entrée, puis exécutez :",
        check_key="Comparez la clé du journal dans cette commande à une clé de source sûre : qui pourrait "
        "falsifier cette page pourrait aussi y falsifier la clé.",
        check_statement="L’entrée indique le SHA-256 de la déclaration et du fichier des motifs invoqué :",
        more="Voir aussi",
        blocks=("Tous les blocages", "Ceux en vigueur et ceux qui ont pris fin."),
        grounds=("Motifs", "Pour quels motifs un blocage est possible."),
        index="Blocages",
        index_lede="Tous les blocages de ce fournisseur, du plus récent au plus ancien. Chacun a une "
        "déclaration publique et la preuve de son inscription au registre.",
        none="Rien n’est bloqué, et rien ne l’a été.",
        grounds_lede="Seul ce qui figure ici peut motiver un blocage, et seulement dans la mesure admise. Le "
        "fichier lui-même est inscrit au registre : il ne peut être modifié à l’insu de tous.",
        clause="Clause {clause}",
        version="Version",
        hash="SHA-256",
        admits="Peut être bloqué",
        most_days="pendant {days} jours au plus",
        legal="seulement à la suite d’une demande légale",
        languages="Langues",
    ),
    "es": PublicWords(
        language="Español",
        in_force="en vigor",
        lifted="levantado",
        over="terminado",
        not_in_force="no en vigor",
        block={
            Measure.URL: "Bloqueo de una parte del sitio {name}",
            Measure.HOSTNAME: "Bloqueo del nombre de host {name}",
            Measure.SITE: "Bloqueo del sitio {name}",
            Measure.CUSTOMER: "Bloqueo de todos los sitios del cliente {name}",
        },
        measures={
            Measure.URL: "una parte de un sitio",
            Measure.HOSTNAME: "un nombre de host",
            Measure.SITE: "un sitio",
            Measure.CUSTOMER: "todos los sitios de un cliente",
        },
        part="Qué está bloqueado",
        hostnames="Nombres de host",
        decided="Decidido por",
        approved="Aprobado por",
        lifted_at="Levantado",
        statement="Declaración",
        record="Registro",
        record_lede="Esta decisión es la entrada {index} de un registro público. Nada de lo que contiene "
        "puede cambiarse ni quitarse sin que se note, ni siquiera por el proveedor.",
        log="Registro público",
        entry="Entrada",
        size="Entradas que abarca la prueba",
        files="Archivos para guardar",
        proof=("Prueba", "De que la entrada está en el registro. Se comprueba sin conexión."),
        entry_file=("Entrada", "La decisión, tal como consta en el registro."),
        raw=("Declaración como texto", "Byte por byte, tal como quedó registrada."),
        grounds_file=("Archivo de motivos", "Por qué motivos se puede bloquear."),
        check="Comprobarlo por su cuenta",
        check_save="Guarde la prueba y la entrada, y ejecute:",
        check_key="Compare la clave del registro de esta orden con una de una fuente en la que confíe: quien "
        "pudiera falsificar esta página podría falsificar también la clave.",
        check_statement="La entrada indica el SHA-256 de la declaración y del archivo de motivos invocado:",
        more="Más",
        blocks=("Todos los bloqueos", "Los que están en vigor y los que han terminado."),
        grounds=("Motivos", "Por qué motivos se puede bloquear."),
        index="Bloqueos",
        index_lede="Todos los bloqueos de este proveedor, primero el más reciente. Cada uno tiene una "
        "declaración pública y la prueba de que consta en el registro.",
        none="Nada está bloqueado, ni lo ha estado.",
        grounds_lede="Solo lo que figura aquí puede ser motivo de un bloqueo, y solo para lo que admite. El "
        "propio archivo consta en el registro: no puede cambiarse sin que se note.",
        clause="Cláusula {clause}",
        version="Versión",
        hash="SHA-256",
        admits="Se puede bloquear",
        most_days="durante {days} días como máximo",
        legal="solo tras un requerimiento legal",
        languages="Idiomas",
    ),
    "ar": PublicWords(
        language="العربية",
        in_force="سارٍ",
        lifted="مرفوع",
        over="منتهٍ",
        not_in_force="غير سارٍ",
        block={
            Measure.URL: "حجب جزء من الموقع {name}",
            Measure.HOSTNAME: "حجب اسم المضيف {name}",
            Measure.SITE: "حجب الموقع {name}",
            Measure.CUSTOMER: "حجب جميع مواقع العميل {name}",
        },
        measures={
            Measure.URL: "جزء من موقع",
            Measure.HOSTNAME: "اسم مضيف",
            Measure.SITE: "موقع",
            Measure.CUSTOMER: "جميع مواقع عميل",
        },
        part="ما حُجب",
        hostnames="أسماء المضيف",
        decided="صاحب القرار",
        approved="من وافق عليه",
        lifted_at="رُفع في",
        statement="البيان",
        record="السجل",
        record_lede="هذا القرار هو القيد رقم {index} في سجل علني. لا يمكن تغيير أي قيد في السجل أو حذفه دون "
        "أن يُكشف ذلك، ولا حتى من جانب مقدّم الخدمة.",
        log="السجل العلني",
        entry="القيد",
        size="عدد القيود التي يشملها الإثبات",
        files="ملفات للحفظ",
        proof=("الإثبات", "أن القيد موجود في السجل. يمكن التحقق منه دون اتصال."),
        entry_file=("القيد", "القرار كما هو في السجل."),
        raw=("البيان نصًّا", "كما سُجّل، بايتًا ببايت."),
        grounds_file=("ملف الأسباب", "الأسباب التي يجوز الحجب من أجلها."),
        check="تحقّق بنفسك",
        check_save="احفظ الإثبات والقيد، ثم نفّذ الأمر:",
        check_key="قارن مفتاح السجل في هذا الأمر بمفتاح من مصدر تثق به: فمن يستطيع تزوير هذه الصفحة يستطيع "
        "تزوير المفتاح المكتوب عليها أيضًا.",
        check_statement="يذكر القيد قيمة SHA-256 للبيان ولملف الأسباب الذي استند إليه القرار:",
        more="المزيد",
        blocks=("جميع قرارات الحجب", "السارية منها والمنتهية."),
        grounds=("الأسباب", "الأسباب التي يجوز الحجب من أجلها."),
        index="قرارات الحجب",
        index_lede="جميع قرارات الحجب لدى مقدّم الخدمة هذا، الأحدث أولًا. لكل قرار بيان علني، وإثبات أنه مسجّل.",
        none="لا شيء محجوب، ولم يُحجب شيء من قبل.",
        grounds_lede="لا يجوز الحجب إلا لسبب مذكور هنا، وفي حدود ما يسمح به. والملف نفسه مسجّل، فلا يمكن "
        "تغييره دون أن يُكشف ذلك.",
        clause="البند {clause}",
        version="الإصدار",
        hash="SHA-256",
        admits="ما يجوز حجبه",
        most_days="لمدة أقصاها {days} يومًا",
        legal="بناءً على طلب قانوني فقط",
        languages="اللغات",
    ),
}
