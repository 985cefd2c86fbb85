"""Words that `profanity` looks for, by language and level; written for this project, short on purpose.

Only words that hardly ever mean anything else in their language. Where a word of one language is a harmless one of
another that is often mixed with it (English), it is left out. Endings are written out: nothing here is a prefix.
"""

from __future__ import annotations

from typing import Literal

Level = Literal["mild", "strong", "slur"]

WORDS: dict[str, dict[Level, str]] = {
    "en": {
        "mild": "damn damned dammit goddamn goddammit crap crappy hell bloody piss pissed pissing bugger arse arses butthead jackass dumbass smartass badass turd bollocks",
        "strong": "fuck fucks fucked fucker fuckers fucking fuckin fuckhead fuckwit clusterfuck mindfuck motherfuck motherfucker motherfuckers motherfucking "
        "shit shits shitty shitting shithead shithole bullshit horseshit dipshit asshole assholes arsehole arseholes bitch bitches bitching bitchy bastard bastards "
        "cunt cunts dickhead dickheads cocksucker cocksuckers wanker wankers twat twats slut sluts slutty whore whores douchebag jerkoff blowjob handjob wtf stfu",
        "slur": "nigger niggers nigga niggas faggot faggots kikes wetback wetbacks gook gooks raghead ragheads towelhead spic spics",
    },
    "de": {
        "mild": "verdammt verdammte verdammter scheibenkleister arsch hintern depp deppen trottel",
        "strong": "scheiße scheisse scheiß scheiss beschissen beschissene beschissener arschloch arschlöcher fotze fotzen wichser hurensohn hurensöhne hure huren schlampe schlampen ficken gefickt fickt ficker verfickt verfickte verfickter missgeburt drecksau verpiss",
        "slur": "kanake kanaken schwuchtel schwuchteln zigeuner spasti judensau",
    },
    "fr": {
        "mild": "zut flûte crotte",
        "strong": "merde merdes merdique putain putains connard connards connasse connasses salope salopes enculé enculés enculer encule chier chiant chiante niquer nique niqué pute putes couilles couille enfoiré enfoirés branleur branleurs",
        "slur": "nègre nègres négro négros bougnoule bougnoules pédé pédés tarlouze youpin youpins",
    },
    "es": {
        "mild": "caray maldito maldita",
        "strong": "mierda mierdas puta putas puto putos joder jodido jodida jodidos cabrón cabrones cabrona gilipollas coño coños hijoputa hijueputa pendejo pendejos pendeja chingar chingada chingado chinga culero culeros mamón mamones",
        "slur": "maricón maricones marica sudaca sudacas moraco",
    },
    "it": {
        "mild": "dannazione",
        "strong": "cazzo cazzi cazzate cazzata merda merde stronzo stronza stronzi stronze vaffanculo fanculo puttana puttane coglione coglioni minchia fottuto fottuta fottere bastardo bastardi",
        "slur": "frocio froci ricchione ricchioni terrone terroni",
    },
    "pt": {
        "mild": "maldito maldita",
        "strong": "merda merdas porra caralho caralhos puta putas foder fodido fodida fodase foda buceta bucetas cuzão cuzões arrombado arrombada viado filhodaputa desgraçado desgraçada",
        "slur": "viadinho",
    },
    "nl": {
        "mild": "verdorie potverdorie jeetje",
        "strong": "klootzak klootzakken godverdomme verdomme hoer hoeren neuken neukt neuk klote schijt kutwijf",
        "slur": "flikker flikkers nikker nikkers",
    },
    "ru": {
        "mild": "блин чёрт черт фигня задница",
        "strong": "блядь блять бляди хуй хуя хуйня хуёвый хуево нахуй похуй пизда пизды пиздец пиздеть ебать ебаный ёбаный ебаная заебал заебись наебал уебок уёбок сука суки говно дерьмо мудак мудаки мразь гандон гондон долбоёб долбоеб",
        "slur": "пидор пидоры пидорас жид жиды хач хачи ниггер",
    },
    "pl": {
        "mild": "kurczę",
        "strong": "kurwa kurwy kurwo skurwysyn skurwiel chuj chuja chuje chujowy pierdol pierdolić pierdolony spierdalaj wypierdalaj jebać jebany jebana zajebisty pojebany gówno dupek dziwka dziwki cipa",
        "slur": "czarnuch czarnuchy ciapaty",
    },
    "zh": {
        "mild": "见鬼 该死",
        "strong": "操你妈 草泥马 肏你 他妈的 妈的逼 傻逼 傻屄 煞笔 牛屄 装逼 狗屎 狗日的 混蛋 王八蛋 婊子 贱人 去你妈 滚你妈 日你妈 鸡巴 屌丝 妈逼",
        "slur": "支那 黑鬼 棒子国",
    },
    "ja": {
        "mild": "畜生",
        "strong": "クソ野郎 くそったれ くそやろう 馬鹿野郎 ばかやろう バカヤロー ヤリマン キチガイ 気違い",
        "slur": "チョン公",
    },
}  # fmt: skip
LANGUAGES = tuple(WORDS)
