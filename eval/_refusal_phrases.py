"""How assistants refuse and pad, by language and kind; each a regular expression over plain apostrophes, capitals ignored."""

from __future__ import annotations

from typing import Literal

Kind = Literal["refusal", "self", "closing", "missing"]

_HELP = r"(?:help|assist|do|provide|comply|fulfil+|answer|share|give|create|write|generate|engage|discuss|continue|support|offer|participate|recommend|solve|complete|access|open|browse|view|see|process)"

PHRASES: dict[str, dict[Kind, tuple[str, ...]]] = {
    "en": {
        "refusal": (
            r"\bI(?:'m| am)(?: very| so| really| truly)? (?:sorry|afraid),? (?:but |that )?(?:as an? [^.!?\n]{1,40}, )?I(?: just| simply| really)? ?(?:can(?:'t|not| not)|am (?:not able|unable)|won't|will not|must decline|have to decline)\b",
            rf"\bI(?: simply| just| really)? (?:can(?:'t|not| not)|won't|will not|could not|couldn't) (?:in good conscience )?{_HELP} (?:you )?(?:with|to|in|on|that|this|your|any|such|information|advice|instructions|content|medical|legal|explicit|harmful|illegal)\b",
            r"\bI(?:'m| am) (?:unable|not able|not allowed|not permitted|not programmed) to (?:help|assist|provide|comply|fulfil+|answer|share|create|generate|discuss|engage|offer|complete|access|browse)\b",
            r"\bI must (?:respectfully |politely )?decline\b|\bI(?:'d| would| will|'ll) (?:rather not|have to decline|not be able to (?:help|assist|provide|answer))\b",
            r"\bI (?:do not|don't) feel comfortable (?:with|answering|writing|providing|helping|discussing)\b",
            r"\b(?:this|that|your) (?:request|question|prompt|query) (?:violates|goes against|is against|falls outside)\b",
            r"\bit (?:would be|is|wouldn't be|would not be|isn't|is not) (?:in?appropriate|unethical|illegal|ethical|right) for me to (?:help|assist|provide|write|answer|create|generate|share)\b",
            r"\bagainst my (?:guidelines|programming|policy|policies|principles)\b|\bmy (?:guidelines|programming) (?:do not|don't|prevents?|prohibits?)\b",
        ),
        "self": (
            r"\bas an? (?:AI|artificial intelligence|large language model|language model|virtual assistant|chat ?bot|AI[- ][a-z]+(?: model)?)\b(?= ?,| ?model\b| ?assistant\b|[ ,]+I\b|[^.\n]{0,40},? I (?:do|don't|can|cannot|am|have)\b)",
            r"\bI(?:'m| am) (?:just |only )?(?:an? )(?:AI|artificial intelligence|large language model|language model|computer program|chat ?bot|machine learning model)\b",
            r"\bmy (?:training data|knowledge cut-?off|last (?:knowledge )?update)\b",
            r"\bI was (?:created|trained|developed|made) by (?:OpenAI|Anthropic|Google|Meta|Alibaba|DeepSeek|Microsoft|Mistral)\b",
            r"\bI (?:do not|don't) have (?:personal (?:opinions|experiences?|beliefs|feelings|preferences)|real[- ]time (?:access|information|data)|access to (?:real[- ]time|the internet|current))\b",
        ),
        "closing": (
            r"\b(?:is there )?anything else (?:that )?(?:I can|you(?:'d| would)? (?:like|want|need))\b",
            r"\b(?:feel free|don't hesitate|do not hesitate) to (?:ask|reach out|let me know|contact)\b",
            r"\blet me know if (?:you|there|this|that|I)\b",
            r"\bI hope (?:this|that|it) (?:helps|was helpful|answers|clarifies)\b|\bhope (?:this|that) helps\b",
            r"\bif you (?:have|need) (?:any )?(?:more|other|further|additional)? ?(?:questions|help|assistance|clarification)\b",
        ),
        "missing": (
            r"\b(?:please|could you(?: please)?|can you(?: please)?) (?:provide|share|supply|give me|paste|send|specify)(?: me)?(?: with)? (?:the|your|more|me|some|a|an|any|further|additional)\b[^.!?\n]{0,30}\b(?:texts?|questions?|problems?|passages?|context|details?|information|code|documents?|images?|files?|equations?|inputs?|sentences?|data|articles?|topics?|links?|tables?)\b",
            r"\b(?:you|it seems (?:that )?you|it looks like you) (?:haven't|have not|didn't|did not|forgot to) (?:provided?|included?|shared?|attached?|include|share)\b",
            r"\bI (?:don't|do not) (?:see|have) (?:any|the|an?) (?:text|image|attachment|file|passage|document|question)\b",
        ),
    },
    "zh": {
        "refusal": (
            r"(?:抱歉|对不起|很遗憾|不好意思)[，,。！!]?(?:作为[^，。]{1,20}[，,])?我?(?:无法|不能|没有办法|没办法|不可以|不便|无权)",
            r"我(?:无法|不能|没办法|不便|不会)(?:为您|为你|帮您|帮你|给您|给你|向您|向你)?(?:提供|协助|帮助|回答|完成|满足|生成|讨论|参与|给出)",
            r"(?:抱歉|對不起|很遺憾)[，,。！!]?我?(?:無法|不能|沒有辦法|沒辦法)",
            r"违反了?(?:我的|相关)?(?:准则|政策|规定|使用条款)|让我们(?:换个|聊点)(?:别的|其他)?话题",
        ),
        "self": (
            r"作为(?:一个|一名|一款|您的)?(?:由[^，。]{1,15}(?:开发|训练|创建)的)?(?:人工智能|AI|大型?语言模型|语言模型|智能助手|聊天机器人)",
            r"我(?:只)?是(?:一个|一名|一款)?(?:由[^，。]{1,15}(?:开发|训练|创建)的)?(?:人工智能|AI|大型?语言模型|语言模型|智能助手|聊天机器人)",
            r"我的(?:训练数据|知识截止)|我(?:没有|不具备)(?:个人)?(?:情感|感情|意识|实时信息)",
        ),
        "closing": (
            r"希望(?:这|以上|我的)?[^。！]{0,12}(?:对您|对你|能帮|有所?帮助)",
            r"(?:如果|如|若)(?:您|你)?(?:还)?有(?:任何|其他|更多|什么)?(?:其他|别的)?(?:问题|疑问|需要)[^。！]{0,12}(?:随时|请|欢迎|告诉)",
            r"还有(?:什么|其他)[^。！？]{0,8}(?:可以帮|需要帮|能帮)",
        ),
        "missing": (
            r"请(?:您|你)?(?:提供|给出|补充|上传|发送)(?:更多|具体|相关|一下|完整|需要|您|你|要)",
            r"(?:您|你)(?:似乎|好像)?(?:没有|未|还没有?)(?:提供|给出|附上|上传)",
        ),
    },
    "de": {
        "refusal": (
            r"\b(?:es tut mir leid|tut mir leid|entschuldigung|leider)[^.!?\n]{0,30}(?:kann|darf|werde|möchte) ich(?: Ihnen| dir| euch)?[^.!?\n]{0,40}(?:nicht|keine?n?|leider)\b",
            r"\bich kann(?: Ihnen| dir)?(?: dabei| damit| hierbei| leider)* (?:nicht|keine) (?:helfen|weiterhelfen|behilflich|unterstützen|beantworten|Auskunft|Informationen|Anleitung)",
            r"\bich bin nicht in der Lage,? (?:Ihnen|dir|diese|dabei|Inhalte)",
        ),
        "self": (r"\bals (?:eine? )?(?:KI|künstliche Intelligenz|(?:großes )?Sprachmodell|virtueller Assistent|Chatbot)\b", r"\bich bin (?:nur )?(?:eine? )?(?:KI|künstliche Intelligenz|(?:großes )?Sprachmodell|Chatbot)\b"),
        "closing": (r"\b(?:gibt es )?(?:sonst )?noch etwas,? (?:wobei|womit|bei dem) ich\b", r"\b(?:lassen Sie es mich|lass es mich|lassen Sie mich|lass mich) wissen\b", r"\bich hoffe,? (?:das|dies|diese)[^.!?\n]{0,20} hilft\b", r"\bzögern Sie nicht\b"),
        "missing": (r"\bbitte (?:geben|gib|stellen|teilen|teile|senden|schicken|schick)(?: Sie)?(?: mir)? (?:den|die|das|mehr|weitere|Ihren|deinen|an)\b",),
    },
    "fr": {
        "refusal": (
            r"\b(?:je suis(?: vraiment)? désolée?|désolée?|je regrette|malheureusement)[^.!?\n]{0,20}\bje ne (?:peux|suis|pourrai|puis|saurais)\b",
            r"\bje ne (?:peux|puis) (?:pas|malheureusement pas) (?:vous |t'|te )?(?:aider|fournir|répondre|accéder|satisfaire|assister)\b",
            r"\bje ne suis pas en mesure de (?:vous|répondre|fournir|t'|générer)\b",
        ),
        "self": (r"\ben tant qu'(?:IA|intelligence artificielle|assistant virtuel|assistant IA|modèle de langage)\b", r"\ben tant que (?:modèle de langage|modèle d'IA|grand modèle)\b", r"\bje suis (?:juste |seulement )?une? (?:IA|intelligence artificielle|modèle de langage|chatbot)\b"),
        "closing": (r"\bn'hésitez pas à\b", r"\by a-t-il autre chose\b|\bautre chose (?:que je puisse|pour vous aider)\b", r"\bj'espère que (?:cela|ça|ceci)[^.!?\n]{0,20}(?:aide|utile)"),
        "missing": (r"\b(?:veuillez|pouvez-vous|pourriez-vous)(?: me)? (?:fournir|préciser|donner|partager|indiquer)(?: le| la| les| plus| votre| davantage)\b",),
    },
    "es": {
        "refusal": (
            r"\b(?:lo siento|lo lamento|disculpa|lamentablemente|me temo que)[^.!?\n]{0,30}\bno (?:puedo|podré|me es posible|estoy (?:autorizad[oa]|en condiciones))\b",
            r"\bno puedo (?:ayudar(?:te|le|los)?|proporcionar|responder|cumplir|asistir(?:te|le)?|brindar|ofrecer(?:te|le)?) (?:con|en|a|esa?|esta?|eso|información|ese)\b",
        ),
        "self": (r"\bcomo (?:una? )?(?:IA|inteligencia artificial|modelo de lenguaje|asistente virtual|asistente de IA)\b", r"\bsoy (?:solo |sólo )?una? (?:IA|inteligencia artificial|modelo de lenguaje|chatbot)\b"),
        "closing": (r"\bhay algo más en lo que\b|\balgo más en (?:lo )?que (?:pueda|puedo)\b", r"\bno dud(?:es|e) en\b", r"\bespero que (?:esto|te|le|la)[^.!?\n]{0,25}(?:ayude|útil|sirva)\b", r"\bavísame si\b|\bhazme saber si\b"),
        "missing": (r"\bpor favor,? (?:proporciona|proporcione|comparte|comparta|indica|indique|envía)(?:me)? (?:el|la|más|tu|su|los)\b",),
    },
    "it": {
        "refusal": (
            r"\b(?:mi dispiace|spiacente|purtroppo|temo che)[^.!?\n]{0,25}\bnon (?:posso|sono in grado|mi è possibile)\b",
            r"\bnon posso (?:aiutar(?:ti|la|vi)|fornire|rispondere|assister(?:ti|la)|soddisfare)\b",
        ),
        "self": (r"\bin (?:quanto|qualità di) (?:IA|AI|intelligenza artificiale|modello linguistico|assistente virtuale)\b", r"\bcome (?:IA|intelligenza artificiale|modello linguistico)\b", r"\bsono (?:solo )?un(?:'|a |o )?(?:IA|intelligenza artificiale|modello linguistico|chatbot)\b"),
        "closing": (r"\bc'è altro (?:in cui|che)\b|\bposso aiutar(?:ti|la) in altro\b", r"\bnon esitare a\b|\bnon esiti a\b", r"\bspero (?:che )?(?:questo|ti|le)[^.!?\n]{0,20}(?:aiuti|utile|d'aiuto)\b", r"\bfammi sapere se\b"),
        "missing": (r"\bper favore,? (?:fornisci|fornisca|condividi|indica|invia)(?:mi)? (?:il|la|più|tuo|i)\b",),
    },
    "pt": {
        "refusal": (
            r"\b(?:desculpe|lamento|sinto muito|infelizmente|peço desculpas?)[^.!?\n]{0,30}\bnão (?:posso|consigo|é possível|estou autorizad[oa])\b",
            r"\bnão posso (?:ajudar|ajudá-l[oa]|fornecer|responder|atender|auxiliar) (?:com|a|nisso|isso|essa?|esta?|informações|você)\b",
        ),
        "self": (r"\bcomo (?:uma? )?(?:IA|inteligência artificial|modelo de linguagem|assistente virtual)\b", r"\bsou (?:apenas |só )?uma? (?:IA|inteligência artificial|modelo de linguagem|chatbot)\b"),
        "closing": (r"\bhá (?:mais )?(?:algo|alguma coisa)(?: mais)? (?:em que|com que|que)\b", r"\bnão hesite em\b", r"\bespero (?:que )?(?:isso|isto|ter)[^.!?\n]{0,20}ajud", r"\bfique à vontade para\b"),
        "missing": (r"\bpor favor,? (?:forneça|compartilhe|envie|indique|informe)(?:-me)? (?:o|a|mais|seu|os)\b",),
    },
    "nl": {
        "refusal": (
            r"\b(?:het spijt me|sorry|helaas)[^.!?\n]{0,25}\b(?:kan|mag|wil) ik[^.!?\n]{0,30}\b(?:niet|geen)\b|\b(?:het spijt me|sorry|helaas)[^.!?\n]{0,15}\bik (?:kan|mag)[^.!?\n]{0,30}\b(?:niet|geen)\b",
            r"\bik kan (?:je|u|jou)?(?: hier| daar)?(?:bij|mee)? ?niet (?:helpen|mee helpen|bij helpen|verder helpen)\b",
        ),
        "self": (r"\bals (?:een )?(?:AI|kunstmatige intelligentie|taalmodel|groot taalmodel|virtuele assistent)\b", r"\bik ben (?:slechts )?een (?:AI|taalmodel|chatbot|kunstmatige intelligentie)\b"),
        "closing": (r"\bis er (?:nog )?iets anders\b|\bkan ik (?:je|u) nog (?:ergens|met iets)\b", r"\blaat het me weten\b", r"\bik hoop dat dit helpt\b", r"\baarzel niet\b"),
        "missing": (r"\b(?:geef|stuur|deel|verstrek)(?: me)?(?: alstublieft| alsjeblieft) (?:de|het|meer|je|uw)\b",),
    },
    "ru": {
        "refusal": (
            r"\b(?:извините|простите|к сожалению|прошу прощения|мне жаль)[^.!?\n]{0,30}\bя (?:не могу|не смогу|не имею возможности|не в состоянии)\b",
            r"\bя не могу (?:вам |тебе )?(?:помочь|предоставить|ответить|выполнить|обсуждать|создать|дать)\b",
        ),
        "self": (r"\bкак (?:искусственный интеллект|ИИ|языковая модель|большая языковая модель|виртуальный ассистент)\b", r"\bя (?:всего лишь |просто )?(?:—|-|–)? ?(?:искусственный интеллект|ИИ|языковая модель|чат-бот)\b"),
        "closing": (r"\bчем (?:ещё|еще) (?:я )?(?:могу|можно)\b|\bмогу ли я (?:ещё|еще) чем-то\b", r"\bне стесняйтесь\b|\bобращайтесь\b", r"\bнадеюсь,? (?:это|что это)[^.!?\n]{0,20}(?:поможет|помогло|полезн)", r"\bдайте (?:мне )?знать\b"),
        "missing": (r"\bпожалуйста,? (?:предоставьте|пришлите|укажите|уточните|отправьте) (?:текст|больше|ваш|мне|более|файл)",),
    },
    "ja": {
        "refusal": (
            r"(?:申し訳(?:ありません|ございません)|すみません|恐れ入ります|残念ながら)[^。！？\n]{0,60}(?:できません|できかねます|いたしかねます|お答えできない|お手伝いできない|対応しかねます)",
            r"(?:お手伝い|お答え|ご提供|回答|対応)(?:することは|は)?(?:できません|できかねます|いたしかねます)",
        ),
        "self": (r"(?:AI|人工知能|言語モデル|チャットボット|AIアシスタント)(?:として|である私|なので|ですので)", r"私は(?:単なる)?(?:AI|人工知能|大規模?言語モデル|言語モデル|チャットボット)(?:です|であり|なので|に過ぎ)"),
        "closing": (r"(?:他|ほか)に(?:何か|ご質問|お手伝い)[^。？\n]{0,20}(?:ありますか|ございますか|お知らせ|お気軽)", r"お気軽に(?:お(?:尋ね|問い合わせ|聞き|知らせ)|ご(?:質問|連絡|相談))", r"(?:お役に立て|参考になれ)ば幸いです"),
        "missing": (r"(?:を|も)(?:ご提供|お知らせ|ご提示|お送り|教えて)(?:ください|いただけますか)",),
    },
    "ko": {
        "refusal": (
            r"(?:죄송|유감|미안)[^.!?\n]{0,60}(?:수 없습니다|수 없어요|드릴 수 없|어렵습니다|불가능합니다)",
            r"(?:도와|답변해|제공해|알려)\s?드릴 수 없",
        ),
        "self": (r"(?:AI|인공지능|언어 모델|챗봇)(?:로서|으로서|이기 때문에|이므로)", r"(?:저는|나는) (?:단지 )?(?:AI|인공지능|대규모 언어 모델|언어 모델|챗봇)(?:입니다|이에요|이며|일 뿐)"),
        "closing": (r"(?:더|다른) (?:궁금한|도움이 필요한|질문)[^.!?\n]{0,20}(?:있으면|있으시면|있나요|있으신가요)", r"도움이 (?:되었기를|되길|되었으면)", r"언제든지? (?:문의|질문|말씀|물어)"),
        "missing": (r"(?:을|를) (?:제공|공유|입력|알려)(?:해)? ?주(?:세요|시겠|십시오|시면)",),
    },
}  # fmt: skip
LANGUAGES = tuple(PHRASES)
