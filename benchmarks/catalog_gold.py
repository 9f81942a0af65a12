"""What people ask of samples/: questions with the tables of shop.sql that answer them, and questions for documents.

Written before any search was tried on them, and in the words of people who have not seen the columns. Nothing is ever
fitted to them but the coefficients of dbrag/catalog/calibrate.py, which benchmarks/catalog.py checks on questions that
were left out.
"""

from typing import NamedTuple


class Gold(NamedTuple):
    """A question, and the tables (`schema.table`) any of which among the first three answers it."""

    query: str
    tables: frozenset[str]


def _gold(query: str, *tables: str) -> Gold:
    return Gold(query, frozenset(tables))


TABLES = [
    _gold("which products sell best this month?", "shop.v_product_sales", "shop.order_items"),
    _gold("who reports to whom?", "hr.v_org_chart", "hr.employees"),
    _gold("unpaid invoices older than 30 days", "finance.v_overdue_invoices", "finance.invoices"),
    _gold("how much did we take yesterday per country?", "shop.daily_revenue"),
    _gold("which articles are running low?", "shop.stock_levels"),
    _gold("customers who have not bought anything for a year", "shop.v_customer_value", "shop.orders"),
    _gold("abandoned baskets of last week", "shop.carts", "shop.cart_items"),
    _gold("why do people send shoes back?", "shop.returns"),
    _gold("how many days of vacation has Ada taken?", "hr.leave_requests"),
    _gold("average pay of software engineers", "hr.salaries", "hr.positions"),
    _gold("parcels that arrived later than promised", "shop.shipments"),
    _gold("which carrier is the slowest?", "shop.shipments"),
    _gold("what do we still owe our vendors?", "finance.supplier_bills"),
    _gold("cheapest vendor for an article", "shop.supplier_offers"),
    _gold("exchange rate of the Swiss franc in March", "finance.fx_rates"),
    _gold("who works the night shift on Sunday?", "hr.t_emp_sched"),
    _gold("did marketing spend more than planned?", "finance.budgets"),
    _gold("taxi receipts waiting for reimbursement", "finance.expense_claims"),
    _gold("declined credit card transactions", "shop.payments"),
    _gold("coupons that are about to expire", "shop.discount_codes"),
    _gold("worst rated items", "shop.reviews"),
    _gold("complaints nobody has answered yet", "shop.support_tickets"),
    _gold("most visited pages on mobile phones", "shop.page_views"),
    _gold("when did the price of this shirt go up?", "shop.price_history"),
    _gold("goods written off or lost in the warehouse", "shop.t_inv_mv"),
    _gold("total amount booked to advertising", "finance.journal_lines", "finance.accounts"),
    _gold("where do our customers live?", "shop.addresses"),
    _gold("people who were recommended by a friend", "shop.customers"),
    _gold("bonus points that a shopper can still spend", "shop.loyalty_points"),
    _gold("candidates invited to an interview", "hr.applicants"),
    _gold("VAT percentage in Poland", "shop.countries"),
    _gold("bar code of the green shirt in size M", "shop.product_variants"),
    _gold("what belongs to kitchen and lighting?", "shop.categories", "shop.product_categories"),
    _gold("how many people work in logistics?", "hr.departments", "hr.employees"),
    _gold("expired credit cards", "shop.payment_cards"),
    _gold("open headcount: who left us last year?", "hr.employees"),
    _gold("what was in order 4711?", "shop.order_items", "shop.orders"),
    _gold("our most valuable shoppers", "shop.v_customer_value"),
    _gold("how long does it take until new goods arrive from China?", "shop.supplier_offers", "shop.suppliers"),
    _gold("turnover by sales channel", "shop.daily_revenue", "shop.orders"),
]

DOCUMENTS = [
    "Can the president be removed from office by impeachment?",
    "How old must a senator be?",
    "Which amendment protects the freedom of speech?",
    "Who elects the members of the House of Representatives?",
    "What is needed to change the constitution?",
    "How does a bill become a law without the president's signature?",
    "Where should variable data such as logs be stored?",
    "What belongs into /usr/local?",
    "Is /opt meant for add-on software?",
    "Which commands must be in /bin?",
    "What is /proc for?",
    "Should I install stable, testing or unstable?",
    "What is a Debian package made of?",
    "What is the difference between Depends and Recommends?",
    "How do I keep a package at its present version?",
    "Which desktop environment should a beginner choose?",
    "radioactive metal used as fuel in nuclear reactors",
    "Who discovered hydrogen?",
    "Which gas makes balloons float?",
    "poisonous liquid metal in thermometers",
    "How does Black treat trailing commas?",
    "What line length does the formatter use?",
    "How are docstrings indented?",
    "cynical definition of a bachelor",
    "What does Bierce say about being a bore?",
    "What does Mr Darcy think of Elizabeth's eyes?",
    "Why does Mr Collins want to marry?",
    "Who is coming to live at Netherfield Park?",
    "What happens when a worker is killed?",
    "How is a segment of the index sealed?",
]

BOTH = [
    "What taxes may be collected, and which rate do we charge in each country?",
    "Who fixes the value of foreign money, and what is it today?",
    "How is the president paid, and what do our directors earn?",
    "Who approves treaties, and who approved these absences?",
    "Which executive departments are there in the government and in our company?",
    "What is urgent: jobs on the critical queue, tickets with a high priority?",
    "What is tried again after a failure: declined payments, failed jobs?",
    "How are inhabitants counted, and how many customers live in each country?",
    "What did embedding cost, and what did employees spend on travel?",
    "Who pays public debts, and which bills of suppliers are due?",
]
