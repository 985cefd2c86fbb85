"""What composed personas are made of, beside their occupations: the values of each axis in English and Chinese, and what they rule out.

Adults only; no names, nationalities, religions or origins. The first five axes hold each other in check; the others go
with everything, so that any combination of them is a person who could exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an axis."""

    key: str
    en: str
    zh: str
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Axis -> the only values of it that this one goes with."""


def _needs(**axes: str) -> dict[str, frozenset[str]]:
    return {axis: frozenset(keys.split()) for axis, keys in axes.items()}


BANDS: dict[str, tuple[int, int]] = {"18-24": (18, 24), "25-34": (25, 34), "35-49": (35, 49), "50-64": (50, 64), "65-85": (65, 85)}
"""Ages in years, both ends included."""
YOUNGEST = {"bachelor": 21, "vocational": 20, "master": 25, "doctorate": 28}
"""At which age somebody has it at the earliest."""

AGE = tuple(Value(key, key, key) for key in BANDS)

EDUCATION = (
    Value("none", "who left school early", "早早离开学校"),
    Value("secondary", "who finished secondary school", "读完中学"),
    Value("vocational", "who learned the trade at a vocational school", "毕业于职业学校"),
    Value("bachelor", "with a bachelor's degree", "本科毕业"),
    Value("master", "with a master's degree", "硕士毕业", _needs(age="25-34 35-49 50-64 65-85")),
    Value("doctorate", "with a doctorate", "博士毕业", _needs(age="25-34 35-49 50-64 65-85")),
)

FAMILY = (
    Value("alone", "living alone", "独自居住"),
    Value("shared", "sharing a flat with two friends", "与两位朋友合租", _needs(age="18-24 25-34 35-49")),
    Value("parents", "living with parents", "与父母同住", _needs(age="18-24 25-34 35-49")),
    Value("partner", "living with a partner", "与伴侣同住"),
    Value("small children", "raising two small children with a partner", "与伴侣抚养两个年幼的孩子", _needs(age="25-34 35-49")),
    Value("single parent", "raising a teenager alone", "独自抚养一个十几岁的孩子", _needs(age="35-49 50-64")),
    Value("grown children", "whose children have left home", "子女已离家", _needs(age="50-64 65-85")),
    Value("carer", "caring for a mother who is ill", "照顾生病的母亲", _needs(age="35-49 50-64")),
    Value("grandchildren", "looking after grandchildren twice a week", "每周帮忙带两次孙辈", _needs(age="50-64 65-85")),
)

PLACE = (
    Value("capital", "in the centre of a capital city", "住在首都市中心"),
    Value("suburb", "in a suburb", "住在城郊"),
    Value("industrial town", "in an old industrial town", "住在老工业城镇"),
    Value("university town", "in a university town", "住在大学城"),
    Value("port", "in a port town", "住在港口城镇"),
    Value("village", "in a farming village", "住在农村"),
    Value("mountains", "in a mountain valley", "住在山谷里"),
    Value("island", "on a small island", "住在一座小岛上"),
)

TEMPERAMENT: tuple[tuple[str, str], ...] = (
    ("patient and dry-humoured", "有耐心、爱讲冷笑话"), ("impatient but warm", "性子急、心肠热"), ("sceptical of every number", "对任何数字都要怀疑一番"),
    ("talkative and curious", "健谈、好奇"), ("shy and exact", "腼腆、一丝不苟"), ("cheerful and forgetful", "开朗、健忘"),
    ("stubborn and loyal", "固执、重情义"), ("calm when things go wrong", "遇事沉着"), ("thrifty to a fault", "节俭过头"),
    ("quick to help and slow to ask for help", "乐于助人、不愿求人"), ("fond of arguing", "喜欢争论"), ("quiet and observant", "安静、善于观察"),
    ("bold with plans, careful with money", "敢想敢做、用钱谨慎"), ("easily bored", "容易厌倦"), ("strict about time", "极其守时"),
    ("generous with advice", "爱给人出主意"), ("given to worrying", "容易担心"), ("playful and inventive", "爱玩、点子多"),
    ("plain-spoken", "说话直来直去"), ("polite and evasive", "客气、不爱正面回答"), ("proud of doing things by hand", "以亲手做事为荣"),
    ("restless, always starting something new", "闲不住、总在尝试新东西"), ("methodical, with a list for everything", "有条理、凡事列清单"),
    ("sentimental about old things", "念旧"), ("competitive in small matters", "小事上也要争先"), ("a good listener", "善于倾听"),
    ("blunt with superiors, gentle with beginners", "对上直率、对新手温和"), ("superstitious in private", "私下有些迷信"),
    ("frugal with words", "惜字如金"), ("convinced that rules are there to be understood", "认为规矩要先弄懂再遵守"), ("hard to surprise", "见怪不怪"),
)  # fmt: skip

INTEREST: tuple[tuple[str, str], ...] = (
    ("keeping bees", "养蜂"), ("repairing old radios", "修理老收音机"), ("choir singing", "合唱"), ("night photography", "夜景摄影"),
    ("chess by post", "通信象棋"), ("growing tomatoes", "种番茄"), ("long-distance cycling", "长途骑行"), ("reading court reports", "读庭审报道"),
    ("baking sourdough bread", "烤酸面包"), ("model railways", "铁路模型"), ("birdwatching", "观鸟"), ("board game evenings", "桌游之夜"),
    ("restoring furniture", "修复旧家具"), ("amateur astronomy", "业余天文"), ("street football", "街头足球"), ("calligraphy", "书法"),
    ("collecting maps", "收集地图"), ("cold-water swimming", "冬泳"), ("playing the accordion", "拉手风琴"), ("weather records", "记录天气"),
    ("knitting complicated patterns", "编织复杂花样"), ("local history", "地方史"), ("crossword puzzles", "填字游戏"), ("home brewing", "自酿啤酒"),
    ("volunteering at an animal shelter", "在动物收容所做义工"), ("mushroom picking", "采蘑菇"), ("stand-up comedy", "单口喜剧"), ("table tennis", "乒乓球"),
    ("writing letters to newspapers", "给报纸写信"), ("building kites", "做风筝"), ("learning a sign language", "学手语"), ("second-hand markets", "逛旧货市场"),
    ("orienteering", "定向越野"), ("family trees", "研究家谱"), ("cooking from old cookbooks", "照老菜谱做菜"), ("fishing at dawn", "清晨钓鱼"),
    ("mending clothes", "缝补衣物"), ("quiz nights", "知识竞赛"), ("folk dancing", "民间舞蹈"), ("programming small gadgets", "给小装置编程"),
    ("watercolours", "水彩画"), ("radio plays", "广播剧"), ("climbing", "攀岩"), ("composting", "堆肥"),
    ("rebuilding motorcycles", "翻新摩托车"), ("tea", "茶"), ("detective novels", "侦探小说"),
)  # fmt: skip

PAST: tuple[tuple[str, str], ...] = (
    ("once ran a market stall for a summer", "曾摆过一个夏天的摊"), ("grew up above a bakery", "在面包店楼上长大"),
    ("spent three years abroad", "在国外待过三年"), ("nearly became a musician", "差点成为音乐人"), ("was the first in the family to move away", "是家里第一个离开家乡的人"),
    ("has organised a neighbourhood festival", "组织过社区节日"), ("lost savings to a bad investment", "曾因投资失误亏掉积蓄"),
    ("learned to swim only as an adult", "成年后才学会游泳"), ("has changed trade twice", "换过两次行业"), ("won a regional spelling contest", "得过地区拼写比赛冠军"),
    ("once sat on a jury", "当过一次陪审员"), ("helped to dig a village out of the snow", "曾帮一个村子清除积雪"), ("walked across a country", "徒步穿越过一个国家"),
    ("kept a diary for ten years", "写了十年日记"), ("taught a neighbour to read", "教邻居识过字"), ("survived a flood", "经历过一场洪水"),
    ("led a small strike", "带头参加过一次小罢工"), ("used to coach a youth team", "当过少年队教练"), ("built a boat that leaked", "造过一条漏水的船"),
    ("has broken the same arm twice", "同一条胳膊断过两次"), ("worked nights for years", "上过多年夜班"), ("once missed a last train and wrote a story about it", "曾错过末班车并为此写了篇故事"),
    ("inherited a piano that nobody plays", "继承了一架没人弹的钢琴"), ("was a poor pupil who loved geometry", "上学时成绩差却爱几何"),
    ("translated for relatives as a child", "小时候常给亲戚当翻译"), ("shared a house with eleven people", "与十一个人同住过"), ("once returned a wallet full of cash", "曾归还一个装满现金的钱包"),
    ("gave up smoking by counting", "靠数数戒了烟"), ("sailed as a deckhand", "当过船上的帮工"),
)  # fmt: skip

AIM: tuple[tuple[str, str], ...] = (
    ("is saving for a greenhouse", "正攒钱建温室"), ("wants to understand statistics", "想弄懂统计学"), ("is planning a long train journey", "正计划一次长途火车旅行"),
    ("is learning to write clearly", "正在学习把话写清楚"), ("wants to cut the electricity bill by half", "想把电费减半"), ("is preparing a talk for beginners", "正为初学者准备一场讲座"),
    ("is sorting out an inheritance", "正在处理一份遗产"), ("wants to sleep better", "想睡得更好"), ("is setting up a repair café", "正在筹办修理咖啡馆"),
    ("is teaching a nephew fractions", "正教外甥学分数"), ("wants to speak at a council meeting", "想在议会上发言"), ("is choosing between two used cars", "正在两辆二手车之间犹豫"),
    ("is training for a half marathon", "正为半程马拉松训练"), ("wants to get rid of half the belongings", "想清掉一半家当"), ("is cataloguing a small archive", "正在给一份小档案编目"),
    ("is settling a dispute about a fence", "正在处理一场围栏纠纷"), ("wants to learn what the new software really does", "想弄清新软件到底做了什么"),
    ("is organising a reunion for sixty people", "正筹备一场六十人的聚会"), ("is writing down recipes of the region", "正在记录当地的菜谱"), ("wants to measure the noise of the street", "想测量街上的噪声"),
    ("is reading about sleep and memory", "正在读关于睡眠与记忆的书"), ("is comparing insurance offers", "正在比较保险方案"), ("wants to plant forty trees", "想种四十棵树"),
    ("is learning to argue without shouting", "正在学习不吵架地争论"), ("wants to stop postponing things", "想改掉拖延"), ("is designing a fair rota for the club", "正为俱乐部设计公平的值班表"),
    ("is digitising old photographs", "正在把老照片数字化"), ("wants to cook for a hundred guests once", "想为一百位客人做一次饭"), ("is following a trial in the newspaper", "正在报纸上追踪一场审判"),
    ("wants to build a bench that lasts", "想做一把耐用的长椅"), ("is trying to get by without a car", "正尝试不用汽车生活"),
    ("is working out who in the house pays for what", "正在算清家里各项开支由谁承担"),
)  # fmt: skip

WAY: tuple[tuple[str, str], ...] = (
    ("asks for the source of everything", "凡事要问出处"), ("explains with examples from work", "爱用工作中的例子解释"), ("thinks in pictures", "习惯用图像思考"),
    ("wants the short answer first", "喜欢先听结论"), ("reads instructions to the end", "会把说明书读完"), ("tries first and reads later", "先动手再看说明"),
    ("takes notes by hand", "习惯手写笔记"), ("tells every story from the beginning", "讲事情总要从头说起"), ("answers questions with questions", "爱用问题回答问题"),
    ("remembers figures, not faces", "记得住数字、记不住脸"), ("mistrusts summaries", "不相信摘要"), ("looks for the exception", "总在找例外"),
    ("compares prices out of habit", "习惯比价"), ("thinks aloud", "喜欢边说边想"), ("prefers a proverb to an argument", "爱引俗语胜过讲道理"),
    ("checks every calculation twice", "每道计算都要核对两遍"), ("draws diagrams on napkins", "爱在餐巾纸上画图"), ("plans in weeks, never in days", "按周计划、从不按天"),
    ("avoids technical terms", "不爱用术语"), ("collects counterexamples", "爱收集反例"), ("decides fast and revises often", "决定快、修改也多"),
    ("asks what could go wrong", "总要问会出什么差错"), ("needs to see it done once", "要看人做一遍才会"),
)  # fmt: skip

FREE: dict[str, tuple[tuple[str, str], ...]] = {"temperament": TEMPERAMENT, "interest": INTEREST, "past": PAST, "aim": AIM, "way": WAY}
"""Axes that go with everything. No two of their sizes share a divisor: counting along all of them at once meets every
combination before one comes again (Chinese remainder theorem)."""
