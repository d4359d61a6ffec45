"""What the challenge page says, in each language it speaks. Not here: markup (``challenge_page``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WAIT_SECONDS: Final = 3
"""How old a link must be: the words say so, too."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    direction: str
    """``ltr`` or ``rtl``, for the ``dir`` attribute."""
    heading: str
    why: str
    waits: str
    """Without JavaScript."""
    works: str
    """While the browser solves, for a second or so."""
    longer: str
    """After five."""
    done: str
    cookies: str
    """The browser takes no cookie, or does not keep it."""
    failed: str
    sent: str
    """Added to what was asked for by POST, where it cannot be repeated. Holds no quotation mark."""
    button: str


WORDS: dict[str, Words] = {
    "en": Words(
        direction="ltr",
        heading="One moment, please",
        why="This site is under attack. A short check keeps the attack out and lets you in.",
        waits="The page opens by itself in three seconds. If it does not, press the button.",
        works="Your browser is solving a small puzzle. There is nothing for you to do.",
        longer="This takes longer than usual. Keep the page open, or press the button.",
        done="Done. The page is opening.",
        cookies="Your browser did not keep this site’s cookie. Please allow it, then press the button: it"
        " holds a random number and is deleted after an hour.",
        failed="That did not work. Please press the button.",
        sent="What you sent has not arrived: please send it again then.",
        button="Continue",
    ),
    "de": Words(
        direction="ltr",
        heading="Einen Augenblick bitte",
        why="Diese Website wird angegriffen. Eine kurze Prüfung hält den Angriff fern und lässt Sie ein.",
        waits="Die Seite öffnet sich in drei Sekunden von selbst. Wenn nicht, drücken Sie bitte auf den"
        " Knopf.",
        works="Ihr Browser löst eine kleine Aufgabe. Sie brauchen nichts zu tun.",
        longer="Es dauert länger als sonst. Lassen Sie die Seite offen, oder drücken Sie auf den Knopf.",
        done="Fertig. Die Seite öffnet sich.",
        cookies="Ihr Browser hat das Cookie dieser Website nicht behalten. Bitte erlauben Sie es und"
        " drücken Sie dann auf den Knopf: Es enthält eine Zufallszahl und wird nach einer Stunde gelöscht.",
        failed="Das hat nicht geklappt. Bitte drücken Sie auf den Knopf.",
        sent="Was Sie abgeschickt haben, ist nicht angekommen: Bitte schicken Sie es danach noch einmal ab.",
        button="Weiter",
    ),
    "fr": Words(
        direction="ltr",
        heading="Un instant, s’il vous plaît",
        why="Ce site est attaqué. Une courte vérification tient l’attaque à distance et vous laisse entrer.",
        waits="La page s’ouvrira d’elle-même dans trois secondes. Sinon, appuyez sur le bouton.",
        works="Votre navigateur résout un petit problème. Vous n’avez rien à faire.",
        longer="Cela prend plus de temps que d’habitude. Laissez la page ouverte, ou appuyez sur le bouton.",
        done="C’est fait. La page s’ouvre.",
        cookies="Votre navigateur n’a pas gardé le cookie de ce site. Veuillez l’autoriser, puis appuyer"
        " sur le bouton : il contient un nombre aléatoire et disparaît après une heure.",
        failed="Cela n’a pas marché. Veuillez appuyer sur le bouton.",
        sent="Ce que vous avez envoyé n’est pas arrivé : veuillez l’envoyer de nouveau ensuite.",
        button="Continuer",
    ),
    "es": Words(
        direction="ltr",
        heading="Un momento, por favor",
        why="Este sitio está siendo atacado. Una breve comprobación mantiene fuera el ataque y le deja"
        " entrar a usted.",
        waits="La página se abrirá sola en tres segundos. Si no, pulse el botón.",
        works="Su navegador está resolviendo un pequeño problema. No tiene que hacer nada.",
        longer="Tarda más de lo habitual. Deje abierta la página o pulse el botón.",
        done="Listo. La página se está abriendo.",
        cookies="Su navegador no ha conservado la cookie de este sitio. Permítala y pulse después el botón:"
        " contiene un número al azar y se borra al cabo de una hora.",
        failed="No ha funcionado. Pulse el botón, por favor.",
        sent="Lo que ha enviado no ha llegado: vuelva a enviarlo después, por favor.",
        button="Continuar",
    ),
    "ar": Words(
        direction="rtl",
        heading="لحظة من فضلك",
        why="يتعرض هذا الموقع لهجوم. فحص قصير يُبقي الهجوم بعيدًا ويتيح لك الدخول.",
        waits="ستُفتح الصفحة تلقائيًا خلال ثلاث ثوانٍ. وإن لم تُفتح فاضغط الزر.",
        works="يحل متصفحك مسألة صغيرة. لا داعي لأن تفعل شيئًا.",
        longer="يستغرق الأمر وقتًا أطول من المعتاد. اترك الصفحة مفتوحة أو اضغط الزر.",
        done="تم. الصفحة تُفتح الآن.",
        cookies="لم يحتفظ متصفحك بملف تعريف الارتباط الخاص بهذا الموقع. اسمح به من فضلك ثم اضغط الزر: فهو"
        " يحتوي على رقم عشوائي ويُحذف بعد ساعة.",
        failed="لم ينجح ذلك. اضغط الزر من فضلك.",
        sent="لم يصل ما أرسلته: أرسله مرة أخرى بعد ذلك من فضلك.",
        button="متابعة",
    ),
}
