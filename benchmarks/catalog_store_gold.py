"""Questions about the second shop (catalog_store.sql), and the tables or documents that answer them.

Written with its schema, before any search was tried, in the words of people who have not seen the columns.
"""

TABLES: dict[str, tuple[str, ...]] = {
    "which products sell best this month?": (
        "shop.v_product_sales",
        "shop.order_items",
    ),
    "who reports to whom?": (
        "hr.v_org_chart",
        "hr.employees",
    ),
    "unpaid invoices older than 30 days": (
        "finance.v_overdue_invoices",
        "finance.invoices",
    ),
    "how much did we take yesterday per country?": ("shop.daily_revenue",),
    "which articles are running low?": ("shop.stock_levels",),
    "customers who have not bought anything for a year": (
        "shop.v_customer_value",
        "shop.orders",
    ),
    "abandoned baskets of last week": (
        "shop.carts",
        "shop.cart_items",
    ),
    "why do people send shoes back?": ("shop.returns",),
    "how many days of vacation has Ada taken?": ("hr.leave_requests",),
    "average pay of software engineers": (
        "hr.salaries",
        "hr.positions",
    ),
    "parcels that arrived later than promised": ("shop.shipments",),
    "which carrier is the slowest?": ("shop.shipments",),
    "what do we still owe our vendors?": ("finance.supplier_bills",),
    "cheapest vendor for an article": ("shop.supplier_offers",),
    "exchange rate of the Swiss franc in March": ("finance.fx_rates",),
    "who works the night shift on Sunday?": ("hr.t_emp_sched",),
    "did marketing spend more than planned?": ("finance.budgets",),
    "taxi receipts waiting for reimbursement": ("finance.expense_claims",),
    "declined credit card transactions": ("shop.payments",),
    "coupons that are about to expire": ("shop.discount_codes",),
    "worst rated items": ("shop.reviews",),
    "complaints nobody has answered yet": ("shop.support_tickets",),
    "most visited pages on mobile phones": ("shop.page_views",),
    "when did the price of this shirt go up?": ("shop.price_history",),
    "goods written off or lost in the warehouse": ("shop.t_inv_mv",),
    "total amount booked to advertising": (
        "finance.journal_lines",
        "finance.accounts",
    ),
    "where do our customers live?": ("shop.addresses",),
    "people who were recommended by a friend": ("shop.customers",),
    "bonus points that a shopper can still spend": ("shop.loyalty_points",),
    "candidates invited to an interview": ("hr.applicants",),
    "VAT percentage in Poland": ("shop.countries",),
    "bar code of the green shirt in size M": ("shop.product_variants",),
    "what belongs to kitchen and lighting?": (
        "shop.categories",
        "shop.product_categories",
    ),
    "how many people work in logistics?": (
        "hr.departments",
        "hr.employees",
    ),
    "expired credit cards": ("shop.payment_cards",),
    "open headcount: who left us last year?": ("hr.employees",),
    "what was in order 4711?": (
        "shop.order_items",
        "shop.orders",
    ),
    "our most valuable shoppers": ("shop.v_customer_value",),
    "how long does it take until new goods arrive from China?": (
        "shop.supplier_offers",
        "shop.suppliers",
    ),
    "turnover by sales channel": (
        "shop.daily_revenue",
        "shop.orders",
    ),
}

# Answered by samples/ and docs/.
DOCUMENTS: tuple[str, ...] = (
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
)

# Two questions in one, the one for documents and the other for tables.
BOTH: tuple[str, ...] = (
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
)
