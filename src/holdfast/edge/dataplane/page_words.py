"""What the block page says, in each language it speaks.

Here belong the sentences and labels of the page. Not here: markup, and values of a decision (``pages``).
``{provider}`` stands for the provider's name; nothing else is replaced. The sentences ask no gender or number
of that name: any provider fits. ``no_end`` becomes an argument of an HAProxy converter: letters, spaces.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Pairs are (403, 451) for the two kinds of block, (label, sentence) for the links."""

    direction: str
    """``ltr`` or ``rtl``, for the ``dir`` attribute."""
    heading: tuple[str, str]
    kind: tuple[str, str]
    lede: tuple[str, str]
    everyone: str
    ground: str
    authority: str
    since: str
    until: str
    no_end: str
    decision: str
    links: str
    """The name of the group of links, for those who hear the page."""
    statement: tuple[str, str]
    record: tuple[str, str]
    appeal: tuple[str, str]
    role: str


WORDS: dict[str, Words] = {
    "en": Words(
        direction="ltr",
        heading=("This site is blocked", "This site is blocked for legal reasons"),
        kind=("Blocked by a decision", "Blocked after a legal demand"),
        lede=(
            "{provider} protects this site and has decided to block it, or this part of it.",
            "{provider} protects this site and has blocked it, or this part of it, after a legal demand.",
        ),
        everyone="The block applies to every visitor. Your device and your connection are fine.",
        ground="Ground",
        authority="Legal demand by",
        since="Blocked since",
        until="Blocked until",
        no_end="without an end date yet",
        decision="Decision",
        links="What you can do",
        statement=("Public statement", "Read what was decided, and why."),
        record=("Record", "Anyone can verify this decision."),
        appeal=("Appeal", "If you are affected, you can appeal."),
        role="{provider} protects the site against attacks. It does not host the site or its content.",
    ),
    "de": Words(
        direction="ltr",
        heading=("Diese Website ist gesperrt", "Diese Website ist aus rechtlichen Gründen gesperrt"),
        kind=("Gesperrt durch eine Entscheidung", "Gesperrt nach rechtlicher Aufforderung"),
        lede=(
            "{provider} schützt diese Website und hat entschieden, sie oder diesen Teil von ihr zu sperren.",
            "{provider} schützt diese Website und hat sie oder diesen Teil von ihr nach einer rechtlichen "
            "Aufforderung gesperrt.",
        ),
        everyone="Die Sperre gilt für alle. Mit Ihrem Gerät und Ihrer Verbindung ist alles in Ordnung.",
        ground="Grund",
        authority="Aufforderung durch",
        since="Gesperrt seit",
        until="Gesperrt bis",
        no_end="noch ohne Enddatum",
        decision="Entscheidung",
        links="Was Sie tun können",
        statement=("Öffentliche Erklärung", "Was entschieden wurde, und warum."),
        record=("Nachweis", "Alle können diese Entscheidung überprüfen."),
        appeal=("Widerspruch", "Wenn Sie betroffen sind, können Sie Widerspruch einlegen."),
        role="{provider} schützt die Website vor Angriffen und hostet weder sie noch ihre Inhalte.",
    ),
    "fr": Words(
        direction="ltr",
        heading=("Ce site est bloqué", "Ce site est bloqué pour des raisons juridiques"),
        kind=("Bloqué à la suite d’une décision", "Bloqué à la suite d’une demande légale"),
        lede=(
            "{provider} protège ce site et a décidé de le bloquer, en tout ou en partie.",
            "{provider} protège ce site et l’a bloqué, en tout ou en partie, à la suite d’une demande "
            "légale.",
        ),
        everyone="Le blocage s’applique à tous. Votre appareil et votre connexion ne sont pas en cause.",
        ground="Motif",
        authority="Demande légale de",
        since="Début du blocage",
        until="Fin du blocage",
        no_end="pas encore de date de fin",
        decision="Décision",
        links="Ce que vous pouvez faire",
        statement=("Déclaration publique", "Ce qui a été décidé, et pourquoi."),
        record=("Registre", "Chacun peut vérifier cette décision."),
        appeal=("Recours", "Si cette décision vous touche, vous pouvez la contester."),
        role="{provider} protège le site contre les attaques et n’héberge ni le site ni son contenu.",
    ),
    "es": Words(
        direction="ltr",
        heading=("Este sitio está bloqueado", "Este sitio está bloqueado por motivos legales"),
        kind=("Bloqueado por una decisión", "Bloqueado tras un requerimiento legal"),
        lede=(
            "{provider} protege este sitio y ha decidido bloquearlo, en todo o en parte.",
            "{provider} protege este sitio y lo ha bloqueado, en todo o en parte, tras un requerimiento "
            "legal.",
        ),
        everyone="El bloqueo afecta a todas las visitas. Su dispositivo y su conexión funcionan bien.",
        ground="Motivo",
        authority="Requerimiento legal de",
        since="Bloqueado desde",
        until="Bloqueado hasta",
        no_end="aún sin fecha de fin",
        decision="Decisión",
        links="Qué puede hacer",
        statement=("Declaración pública", "Qué se ha decidido y por qué."),
        record=("Registro", "Cualquiera puede verificar esta decisión."),
        appeal=("Recurso", "Si esta decisión le afecta, puede recurrirla."),
        role="{provider} protege el sitio frente a los ataques y no aloja ni el sitio ni su contenido.",
    ),
    "ar": Words(
        direction="rtl",
        heading=("هذا الموقع محجوب", "هذا الموقع محجوب لأسباب قانونية"),
        kind=("محجوب بموجب قرار", "محجوب بناءً على طلب قانوني"),
        lede=(
            "{provider} هي الجهة التي تحمي هذا الموقع، وقد قرّرت حجبه كليًّا أو جزئيًّا.",
            "{provider} هي الجهة التي تحمي هذا الموقع، وقد حجبته كليًّا أو جزئيًّا بناءً على طلب قانوني.",
        ),
        everyone="يسري الحجب على جميع الزوار، ولا خلل في جهازك أو في اتصالك.",
        ground="السبب",
        authority="صاحب الطلب القانوني",
        since="بدء الحجب",
        until="انتهاء الحجب",
        no_end="لم يُحدَّد بعد",
        decision="القرار",
        links="ما يمكنك فعله",
        statement=("البيان العلني", "ماذا تقرّر، ولماذا."),
        record=("السجل", "يمكن لأي شخص التحقق من هذا القرار."),
        appeal=("الاعتراض", "إذا كان القرار يمسّك، فيمكنك الاعتراض عليه."),
        role="دور {provider} هو حماية الموقع من الهجمات، لا استضافته ولا استضافة محتواه.",
    ),
}
